"""The real process: what it refuses to start with, what it logs, and that it loses no request while it ends."""

import dataclasses
import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from models.errors import MainlineError
from services.serving.loader import load
from tests.services.serving.conftest import FEATURES, ROW, Made, Running, environment, make_bundle

Start = Callable[..., Running]


@pytest.mark.slow
def test_sigterm_under_load_loses_no_request(start: Start, regression: Made, tmp_path: Path) -> None:
    capture = {"MAINLINE_CAPTURE_URI": tmp_path.as_uri(), "MAINLINE_CAPTURE_FLUSH_SECONDS": "0.2"}
    # However busy the machine is, no caller pauses so long while it still calls.
    patience = {"MAINLINE_QUIET_SECONDS": "3", "MAINLINE_DRAIN_SECONDS": "30"}
    running = start(regression.settings, **capture, **patience)
    lost: list[str] = []
    ids: list[str] = []
    answered, closed = [0] * 4, [0] * 4
    leave = threading.Event()

    def call(index: int) -> None:
        """A caller with kept-alive connections, that goes elsewhere once the probe says so."""
        with httpx2.Client() as client:
            while not leave.is_set():
                try:
                    answer = client.post(f"{running.url}/predict", json=ROW)
                except httpx2.TransportError as err:
                    lost.append(repr(err))
                    continue
                if answer.status_code != 200:
                    lost.append(answer.text)
                ids.append(answer.headers["x-request-id"])
                answered[index] += 1
                closed[index] += answer.headers.get("connection") == "close"

    callers = [threading.Thread(target=call, args=(index,)) for index in range(4)]
    for caller in callers:
        caller.start()
    try:
        _until(lambda: min(answered) >= 20 and any(tmp_path.rglob("*.jsonl.gz")), "answers before the end")
        running.process.send_signal(signal.SIGTERM)
        _until(lambda: min(closed) >= 5, "answers while draining must ask to close")  # and the callers come again
        probe = httpx2.get(f"{running.url}/ready")
        assert (probe.status_code, probe.json()["errors"][0]["value"]) == (503, "draining")
    finally:
        leave.set()
        for caller in callers:
            caller.join()
    code, lines = running.end()
    assert (code, lost) == (0, [])
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["loading", "ready", "draining", "ended"]
    assert {event["digest"] for event in events} == {regression.digest}
    assert sorted(_captured(tmp_path)) == sorted(ids), "every answered request is in the capture log, once"


@pytest.mark.slow
def test_sensitive_feature_of_the_bundle_is_not_captured(start: Start, tmp_path: Path) -> None:
    features = tuple(feature.model_copy(update={"sensitive": feature.name == "age"}) for feature in FEATURES)
    made = make_bundle(tmp_path, features=features)
    running = start(made.settings, MAINLINE_CAPTURE_URI=(tmp_path / "log").as_uri(), MAINLINE_POD_TEMPLATE_HASH="5d8f")
    assert httpx2.post(f"{running.url}/predict", json=ROW).status_code == 200
    running.process.send_signal(signal.SIGTERM)
    running.end()
    (part,) = (tmp_path / "log").glob("model=house/version=7/hash=5d8f/hour=*/*.jsonl.gz")
    header, line = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()]
    assert (header["masked"], set(line["features"])) == (["age"], set(ROW) - {"age"})


def _until(true: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def _captured(folder: Path) -> list[str]:
    """Request ids of every row in every part."""
    parts = [gzip.decompress(part.read_bytes()).splitlines() for part in folder.rglob("*.jsonl.gz")]
    assert len(parts) > 1
    return [json.loads(line)["request_id"] for _, *lines in parts for line in lines]


@pytest.mark.slow
def test_store_that_cannot_be_written_fails_no_request_and_recovers(
    start: Start, regression: Made, tmp_path: Path
) -> None:
    place = tmp_path / "log"
    place.write_text("a file where a folder must be")
    variables = {"MAINLINE_CAPTURE_URI": place.as_uri(), "MAINLINE_CAPTURE_FLUSH_SECONDS": "0.1"}
    running = start(regression.settings, **variables)

    def ask_until(metric: str) -> None:
        deadline = time.monotonic() + 10
        while f"{metric}{{" not in (told := httpx2.get(f"{running.url}/metrics").text) or re.search(
            rf"{metric}{{[^}}]*}} 0\.0", told
        ):
            assert httpx2.post(f"{running.url}/predict", json=ROW).status_code == 200
            assert time.monotonic() < deadline

    ask_until("mainline_capture_dropped_rows_total")
    place.unlink()
    ask_until("mainline_captured_rows_total")
    running.process.send_signal(signal.SIGTERM)
    code, _ = running.end()
    assert code == 0


@pytest.mark.slow
def test_store_that_hangs_delays_the_end_by_seconds_only(start: Start, regression: Made) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # connections are accepted by the kernel, and never answered
        variables = {
            "MAINLINE_CAPTURE_URI": "s3://bucket/log",
            "MAINLINE_CAPTURE_FLUSH_SECONDS": "0.1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_REGION": "none",
        }
        running = start(regression.settings, **variables)
        for _ in range(20):
            assert httpx2.post(f"{running.url}/predict", json=ROW).status_code == 200
            time.sleep(0.02)
        begun = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        code, lines = running.end()
    assert (code, 4 < time.monotonic() - begun < 9) == (0, True)
    assert any(json.loads(line)["event"] == "capture log not written in time" for line in lines)


@pytest.mark.slow
def test_slow_request_in_flight_is_answered_after_sigterm(start: Start, regression: Made) -> None:
    running = start(regression.settings, MAINLINE_DRAIN_SECONDS="0.2")
    begun = threading.Event()

    def slowly() -> Iterator[bytes]:
        data = json.dumps(ROW).encode()
        yield data[:10]
        begun.set()
        time.sleep(1.0)
        yield data[10:]

    answers: list[httpx2.Response] = []
    headers = {"Content-Type": "application/json"}
    caller = threading.Thread(
        target=lambda: answers.append(httpx2.post(f"{running.url}/predict", content=slowly(), headers=headers))
    )
    caller.start()
    assert begun.wait(5)
    running.process.send_signal(signal.SIGTERM)
    code, _ = running.end()
    caller.join()
    assert (code, [answer.status_code for answer in answers]) == (0, [200])


@pytest.mark.slow
def test_body_that_pauses_is_refused(start: Start, regression: Made) -> None:
    running = start(regression.settings, MAINLINE_BODY_SECONDS="0.2")

    def stalled() -> Iterator[bytes]:
        yield b"{"
        time.sleep(0.6)
        yield b"}"

    headers = {"Content-Type": "application/json"}
    answer = httpx2.post(f"{running.url}/predict", content=stalled(), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (408, "/docs#body-too-slow")


def _tampered(root: Path) -> Made:
    made = make_bundle(root)
    (made.folder / "model.onnx").write_bytes(b"x")
    return made


def _other_digest(root: Path) -> Made:
    made = make_bundle(root)
    return dataclasses.replace(made, settings=dataclasses.replace(made.settings, digest="sha256:" + "0" * 64))


def _other_model(root: Path) -> Made:
    made = make_bundle(root)
    return dataclasses.replace(made, settings=dataclasses.replace(made.settings, model="iris"))


REFUSED: dict[str, tuple[Callable[[Path], Made], str]] = {
    "tampered": (_tampered, "model.onnx"),
    "another digest": (_other_digest, "must be sha256:000"),
    "another model": (_other_model, "MAINLINE_MODEL is 'iris'"),
    "golden rows differ": (lambda root: make_bundle(root, golden_shift=5.0), "golden row"),
}


@pytest.mark.parametrize(("spoil", "reason"), REFUSED.values(), ids=REFUSED)
def test_bundle_that_does_not_verify_is_refused(tmp_path: Path, spoil: Callable[[Path], Made], reason: str) -> None:
    with pytest.raises(MainlineError, match=reason):
        load(spoil(tmp_path).settings)


def test_refused_bundle_ends_the_process_with_its_reason(start: Start, tmp_path: Path) -> None:
    running = start(_tampered(tmp_path).settings, wait=False)
    code, lines = running.end()
    events = [json.loads(line) for line in lines]
    assert code == 1
    assert [event["event"] for event in events] == ["loading", "the bundle was refused", "ended"]
    assert "model.onnx" in events[1]["reason"]


def test_bad_configuration_ends_with_2_and_one_line_a_problem(regression: Made) -> None:
    variables = environment(regression.settings, MAINLINE_PORT="http", MAINLINE_MODEL="House")
    done = subprocess.run(
        [sys.executable, "-m", "services.serving"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["MAINLINE_MODEL", "MAINLINE_PORT"]


# What a server needs for no answer: libraries of training, and what its start would have to wait for.
NOT_SERVED = (
    "evidently", "fastapi", "hera", "mlflow", "models.gates_spec", "models.spec", "numpy.random", "onnx", "pandas",
    "pyarrow", "scipy", "sklearn", "torch", "yaml",
)  # fmt: skip
TELLING = """
import gc
import sys
from services.serving.__main__ import main

code = main()
print(gc.isenabled(), *sys.modules)
sys.exit(code)
"""


def test_server_starts_and_answers_without_what_only_others_need(
    start: Start, regression: Made, tmp_path: Path
) -> None:
    running = start(regression.settings, arguments=("-c", TELLING), MAINLINE_CAPTURE_URI=tmp_path.as_uri())
    assert httpx2.post(f"{running.url}/predict", json=ROW).status_code == 200
    running.process.send_signal(signal.SIGTERM)
    code, (*_, last) = running.end()
    collects, *imported = last.split()
    assert (code, collects, "onnxruntime" in imported) == (0, "True", True)
    assert [name for name in NOT_SERVED if name in imported] == []
