"""The judge as a real process over real capture logs and bundles: every way to a verdict, and that the rest is told."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.services.drift.capture_log import leave
from tests.specimens.making import KEPT, made

pytestmark = pytest.mark.slow

STABLE = "5d8f7c9b5"
COMMON: dict[str, Any] = {
    "model": "diabetes",
    "stable_hash": STABLE,
    "window": "30m",
    "min_rows": "500",
    "min_distinct_rows": "100",
    "alpha": "0.001",
}
INPUTS = COMMON | {"check": "inputs", "max_distance": "0.2"}
PREDICTIONS = COMMON | {"check": "predictions", "max_beyond_announced": "0.1", "max_announced": "0.5"}


@dataclass
class Judge:
    """A running judge."""

    process: "subprocess.Popen[str]"
    url: str
    log: Path
    reports: Path

    def ask(self, request: dict[str, Any], **changes: object) -> dict[str, Any]:
        """What it answers; any status but 200 is a failure of the test."""
        answer = httpx2.post(f"{self.url}/judge", json=request | changes, timeout=30)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """Asks it to end. Its exit code and the events that it logged."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        assert err == "", err
        return self.process.returncode, [json.loads(line) for line in out.splitlines()]


@contextlib.contextmanager
def _judge(folder: Path, **more: str) -> Iterator[Judge]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        "MAINLINE_CAPTURE_URI": (folder / "log").as_uri(),
        "MAINLINE_BUNDLE_STORES": f"{KEPT.as_uri()} {(folder / 'store').as_uri()}",
        "MAINLINE_CACHE_DIR": str(folder / "cache"),
        "MAINLINE_REPORTS_DIR": str(folder / "reports"),
        "MAINLINE_HOST": "127.0.0.1",
        "MAINLINE_PORT": str(port),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAINLINE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.drift"],
        env=kept | variables | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        judge = Judge(process, f"http://127.0.0.1:{port}", folder / "log", folder / "reports")
        deadline = time.monotonic() + 120  # 5 s on an idle machine: Evidently imports all that it has
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{judge.url}/ready").status_code == 200:
                    break
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield judge
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """A judge whose log does not exist at first; then stable pods have left theirs."""
    folder = tmp_path_factory.mktemp("judge")
    with _judge(folder) as running:
        before = running.ask(INPUTS, candidate_hash="aaaa")
        assert (before["verdict"], "no such folder" in before["reason"]) == ("inconclusive", True), before
        leave(running.log, made("diabetes-stable"), pods=STABLE, n_rows=1500)
        yield running


def test_sound_candidate_passes_both_checks(judge: Judge) -> None:
    leave(judge.log, made("diabetes-better"), pods="good", version="2", seed=1)
    for request in (INPUTS, PREDICTIONS):
        told = judge.ask(request, candidate_hash="good")
        assert told["verdict"] == "pass", told
    assert told["report"] == "/reports/diabetes-2"
    page = httpx2.get(judge.url + told["report"]).text
    assert "Nothing stands against diabetes 2" in page
    assert len(page.encode()) < 300_000


def test_candidate_of_another_unit_fails_on_its_inputs(judge: Judge) -> None:
    leave(judge.log, made("diabetes-unit"), pods="unit", version="3", seed=2)
    told = judge.ask(INPUTS, candidate_hash="unit")
    assert (told["verdict"], "glucose" in told["reason"]) == ("fail", True), told
    page = httpx2.get(f"{judge.url}/reports/diabetes-3").text
    assert "diabetes 3 is turned back" in page
    assert "<rect" in page


def test_constant_answers_fail_on_predictions(judge: Judge) -> None:
    leave(judge.log, made("diabetes-constant"), pods="constant", version="4", seed=3)
    told = judge.ask(PREDICTIONS, candidate_hash="constant")
    assert told["verdict"] == "fail", told


def test_drift_of_the_world_passes_with_a_warning(judge: Judge) -> None:
    leave(judge.log, made("diabetes-stable"), pods="stabledrift", n_rows=1500, drift=1.0)
    leave(judge.log, made("diabetes-better"), pods="drifted", version="5", drift=1.0, seed=4)
    told = judge.ask(INPUTS, candidate_hash="drifted", stable_hash="stabledrift")
    assert (told["verdict"], bool(told["warnings"])) == ("pass", True), told


def test_too_few_rows_decide_nothing(judge: Judge) -> None:
    leave(judge.log, made("diabetes-better"), pods="few", version="6", n_rows=499)
    told = judge.ask(INPUTS, candidate_hash="few")
    assert (told["verdict"], told["rows"]["candidate"]) == ("inconclusive", 499), told
    assert "500" in told["reason"]


def test_pods_that_left_nothing_decide_nothing(judge: Judge) -> None:
    told = judge.ask(INPUTS, candidate_hash="nobody")
    assert (told["verdict"], told["report"]) == ("inconclusive", "/reports/diabetes-nobody")
    assert httpx2.get(judge.url + told["report"]).status_code == 200


def test_rows_from_the_future_decide_nothing(judge: Judge) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=30)
    leave(judge.log, made("diabetes-better"), pods="ahead", version="7", until=ahead, minutes=10)
    told = judge.ask(INPUTS, candidate_hash="ahead")
    assert told["verdict"] == "inconclusive", told
    assert "clock" in json.dumps(told)


def test_rows_of_long_ago_decide_nothing(judge: Judge) -> None:
    leave(judge.log, made("diabetes-better"), pods="old", version="8", until=datetime.now(UTC) - timedelta(hours=2))
    assert judge.ask(INPUTS, candidate_hash="old")["verdict"] == "inconclusive"


def test_bundle_that_cannot_be_trusted_decides_nothing(judge: Judge, tmp_path: Path) -> None:
    outside = tmp_path / "bundle"
    shutil.copytree(made("diabetes-swapped").folder, outside)
    inside = KEPT.as_uri()
    lies = {
        "outside": (outside.as_uri(), ""),
        "missing": (f"{inside}/nothing-here", ""),
        "climbing": (f"{inside}/../..{outside}", ""),
        "other": (made("diabetes-swapped").folder.as_uri(), "sha256:" + "0" * 64),
    }
    for pods, (uri, digest) in lies.items():
        leave(judge.log, made("diabetes-swapped"), pods=pods, version="9", uri=uri, digest=digest)
        for request in (INPUTS, PREDICTIONS):
            told = judge.ask(request, candidate_hash=pods)
            assert told["verdict"] == "inconclusive", (pods, told)
    told = judge.ask(INPUTS, candidate_hash="outside")
    assert "outside of the stores" in told["reason"]


def test_tampered_bundle_decides_nothing(judge: Judge) -> None:
    bundle = judge.log.parent / "store" / "tampered"
    shutil.copytree(made("diabetes-swapped").folder, bundle)
    with (bundle / "reference.parquet").open("r+b") as file:
        file.write(b"X")
    leave(judge.log, made("diabetes-swapped"), pods="tampered", version="10", uri=bundle.as_uri())
    told = judge.ask(INPUTS, candidate_hash="tampered")
    assert (told["verdict"], "reference.parquet" in told["reason"]) == ("inconclusive", True), told


def test_damaged_parts_are_told_and_cost_no_verdict(judge: Judge) -> None:
    leave(judge.log, made("diabetes-better"), pods="damaged", version="11", seed=5)
    pods = judge.log / "model=diabetes" / "version=11" / "hash=damaged"
    whole = next(pods.rglob("*.jsonl.gz")).read_bytes()
    now = datetime.now(UTC)
    hour = pods / f"hour={now:%Y-%m-%dT%H}"
    hour.mkdir(exist_ok=True)
    (hour / f"{now:%Y%m%dT%H%M%S%f}-a-1.jsonl.gz").write_bytes(b"no gzip")
    (hour / f"{now:%Y%m%dT%H%M%S%f}-b-2.jsonl.gz").write_bytes(whole[:200])
    told = judge.ask(INPUTS, candidate_hash="damaged")
    assert told["verdict"] == "pass", told
    assert "part" in " ".join(told["warnings"])


@pytest.mark.slow
def test_store_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        variables = {
            "MAINLINE_CAPTURE_URI": "s3://bucket/log",
            "MAINLINE_JUDGE_SECONDS": "0.5",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_REGION": "none",
        }
        with _judge(tmp_path, **variables) as judge:
            told = judge.ask(INPUTS, candidate_hash="aaaa")
            assert (told["verdict"], "took over 0.5 s" in told["reason"]) == ("inconclusive", True), told
            assert httpx2.get(f"{judge.url}/ready").json()["capture_log"] == "unreachable: does not answer"
            begun = time.monotonic()
            code, _ = judge.end()
            assert (code, time.monotonic() - begun < 5) == (0, True)


def test_warm_judgement_of_many_rows_is_quick(judge: Judge) -> None:
    leave(judge.log, made("diabetes-stable"), pods="many1", n_rows=5000)
    leave(judge.log, made("diabetes-better"), pods="many2", version="12", n_rows=5000, seed=6)
    request = INPUTS | {"candidate_hash": "many2", "stable_hash": "many1"}
    judge.ask(request)
    begun = time.monotonic()
    judge.ask(request)
    assert time.monotonic() - begun < 3  # about 0.3 s alone; other tests may run beside it


def test_judge_ends_in_order_and_logged_every_failure(judge: Judge) -> None:
    """Last: it ends the judge of this module."""
    judge.ask(INPUTS, candidate_hash="good")
    code, events = judge.end()
    assert (code, events[0]["event"], events[-1]["event"]) == (0, "ready", "ended")
    assert {event["event"] for event in events} == {"ready", "ended"}, "no judgement failed inside"
