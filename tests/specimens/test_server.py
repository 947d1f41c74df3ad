"""The bad servers are the real one with one fault each: started from a pod's command, asked over HTTP."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.release import THIS_MACHINE
from pipelines.build import PodCommand
from pipelines.readiness import NotServing
from pipelines.serve import Served, start
from tests.specimens import server
from tests.specimens.making import made
from tests.specimens.repository import COMMAND

pytestmark = pytest.mark.slow  # a server for each
Start = Callable[..., Served]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Start]:
    """Starts a specimen of iris."""
    running: list[Served] = []

    def started(specimen: str, seconds: float = 30.0, **more: str) -> Served:
        bundle = made("iris-stable")
        environment = {
            "MAINLINE_MODEL": "iris",
            "MAINLINE_MODEL_VERSION": "2",
            "MAINLINE_BUNDLE_URI": bundle.folder.as_uri(),
            "MAINLINE_BUNDLE_DIGEST": bundle.digest,
            "MAINLINE_CACHE_DIR": "/var/cache/mainline",
            "SPECIMEN": specimen,
            **more,
        }
        command = PodCommand(
            COMMAND, environment, THIS_MACHINE, {}, "/ready", ("/var/cache/mainline", "/tmp"), 2,
        )  # fmt: skip
        running.append(start(command, bundle.digest, port=0, home=tmp_path, timeout_seconds=seconds))
        return running[-1]

    yield started
    for each in running:
        each.stop()


def ask(served: Served, n: int, timeout: float = 5.0) -> list[tuple[int, float]]:
    """Status (0 where there was none) and seconds of n requests."""
    answers, rows = [], made("iris-stable").golden.rows
    for index in range(n):
        request = urllib.request.Request(f"{served.url}/predict", data=json.dumps(rows[index % len(rows)]).encode())
        request.add_header("Content-Type", "application/json")
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
            error.close()
        except OSError:
            status = 0
        answers.append((status, time.monotonic() - begun))
    return answers


def metric(served: Served, name: str) -> float:
    """The sum of a metric's series."""
    with urllib.request.urlopen(f"{served.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_slow_is_slow_for_one_request_in_twenty_and_its_histogram_says_so(begin: Start) -> None:
    served = begin("slow")
    answers = ask(served, 40)
    assert [status for status, _ in answers] == [200] * 40
    assert [index + 1 for index, (_, seconds) in enumerate(answers) if seconds >= server.SLOW_SECONDS] == [20, 40]
    assert metric(served, "mainline_request_duration_seconds_sum") >= 2 * server.SLOW_SECONDS


def test_one_error_in_fifty_is_counted_as_failed(begin: Start) -> None:
    served = begin("error-in-fifty")
    statuses = [status for status, _ in ask(served, 100)]
    assert statuses.count(500) == 2
    assert metric(served, 'mainline_requests_total{model="iris",model_version="2",outcome="failed"') == 2


def test_leak_grows_with_every_request(begin: Start) -> None:
    served = begin("leak")
    ask(served, 20)
    before = metric(served, "process_resident_memory_bytes")
    ask(served, 100)
    assert metric(served, "process_resident_memory_bytes") - before > 80 * server.LEAK_BYTES


def test_crash_ends_the_process_after_a_hundred_requests(begin: Start) -> None:
    served = begin("crash")
    statuses = [status for status, _ in ask(served, 102)]
    assert statuses == [200] * 100 + [0, 0]
    assert served.process.wait(5) == server.CRASH_STATUS


def test_hang_is_counted_as_failed_at_the_deadline_whether_its_caller_waits_or_not(begin: Start) -> None:
    served = begin("hang", MAINLINE_REQUEST_SECONDS="1.0")
    assert [status for status, _ in ask(served, 20)].count(504) == 2
    assert [status for status, _ in ask(served, 20, timeout=0.3)].count(0) == 2
    time.sleep(1.5)
    assert metric(served, 'mainline_requests_total{model="iris",model_version="2",outcome="failed"') == 4
    assert metric(served, "mainline_requests_in_flight") == 0
    assert metric(served, "mainline_request_duration_seconds_count") == 36  # of those that were answered


def test_never_ready_lives_and_is_never_ready(begin: Start) -> None:
    with pytest.raises(NotServing):
        begin("never-ready", seconds=3.0)


def test_a_server_without_a_specimen_is_refused(begin: Start) -> None:
    with pytest.raises(NotServing, match="SPECIMEN"):
        begin("")
