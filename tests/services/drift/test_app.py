"""The routes in process, with a judge that says what the test wants: what is refused, and that nothing else fails."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.verdict import Verdict
from services.drift import app as module
from services.drift import assess as assess_module
from services.drift import bench as bench_module
from services.drift.app import create
from services.drift.bench import Bench
from services.drift.judgement import Judgement
from services.drift.metrics import Metrics
from services.drift.requests import JudgeRequest
from services.drift.shelf import Shelf
from services.drift.sources import Sources
from tests.services.drift.capture_log import leave
from tests.services.drift.judgements import CANDIDATE, failing
from tests.specimens.making import KEPT, made

ASKED: dict[str, Any] = {
    "check": "inputs",
    "model": "iris",
    "candidate_hash": CANDIDATE.hash,
    "stable_hash": "5d8f7c9b5",
    "window": "30m",
    "min_rows": "500",
    "alpha": "0.001",
    "max_distance": "0.2",
}
Judge = Callable[[JudgeRequest], Judgement]
Make = Callable[..., TestClient]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes clients of a judge that answers as a function says."""
    clients: list[TestClient] = []

    def begin(assess: Judge, *, judge_seconds: float = 5.0, wait_seconds: float = 5.0) -> TestClient:
        metrics = Metrics()
        bench = Bench(assess, metrics, judge_seconds=judge_seconds, wait_seconds=wait_seconds)
        shelf = Shelf(tmp_path / "reports", max_reports=3)
        app = create(bench, shelf, metrics, store_state=lambda: "reachable", body_seconds=1.0)
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()  # one event loop for all its requests
        clients.append(client)
        return client

    yield begin
    for client in clients:
        client.__exit__()


def _metric(client: TestClient, line: str) -> float:
    (found,) = [told for told in client.get("/metrics").text.splitlines() if told.startswith(line + " ")]
    return float(found.rsplit(" ", 1)[1])


def _until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_judgement_is_answered_counted_and_shown(make: Make) -> None:
    client = make(lambda request: failing())
    answer = client.post("/judge", json=ASKED)
    told = answer.json()
    assert (answer.status_code, told["verdict"], told["reason"]) == (200, "fail", failing().reason)
    assert (told["check"], told["model"], told["report"]) == ("inputs", "iris", "/reports/iris-8")
    assert told["numbers"] == {"worst_distance": 2.2, "not_told": None}
    assert told["window"]["seconds"] == 1800
    page = client.get(told["report"])
    assert page.status_code == 200
    assert "petal_length" in page.text
    assert 'href="/reports/iris-8"' in client.get("/reports").text
    (judged,) = client.get(f"{told['report']}.json").json()["judgements"]
    assert (judged["verdict"], judged["reason"]) == ("fail", told["reason"])
    assert judged["candidate_hash"] == ASKED["candidate_hash"]
    assert _metric(client, 'mainline_judgements_total{check="inputs",verdict="fail"}') == 1
    assert _metric(client, 'mainline_judged_rows_total{check="inputs"}') == 612 + 1830


def test_environments_have_reports_of_their_own(make: Make) -> None:
    client = make(lambda request: failing())
    told = [client.post("/judge", json=ASKED | {"environment": name}).json() for name in ("staging", "production", "")]
    assert [each["report"] for each in told] == [
        "/reports/staging-iris-8", "/reports/production-iris-8", "/reports/iris-8",
    ]  # fmt: skip
    assert "iris 8 in staging is turned back" in client.get(told[0]["report"]).text


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown check": ({"check": "input"}, "check"),
    "no model": ({"model": None}, "model"),
    "model with a path": ({"model": "../iris"}, "model"),
    "template's argument left": ({"candidate_hash": "{{args.canary-hash}}"}, "candidate_hash"),
    "window without unit": ({"window": "30"}, "window"),
    "window of a year": ({"window": "365d"}, "window"),
    "window beyond all time": ({"window": "99999999999999999999999w"}, "window"),
    "window in other digits": ({"window": "٣0m"}, "window"),
    "rows that are none": ({"min_rows": "NaN"}, "min_rows"),
    "unset": ({"max_distance": "unset"}, "max_distance"),
    "environment with a dash": ({"environment": "a-b"}, "environment"),
    "unknown name": ({"max_distanse": 1}, "max_distanse"),
}


REPLAYED: dict[str, Any] = {
    "check": "replay",
    "model": "iris",
    "candidate_hash": CANDIDATE.hash,
    "stable_hash": "5d8f7c9b5",
    "candidate_url": "http://serving-preview.iris.svc",
    "stable_url": "http://serving.iris.svc",
    "max_beyond_announced": "0.1",
    "max_announced": "0.5",
}


@pytest.mark.parametrize(
    "url",
    [
        "http://host:99999", "http://host:0", "http://user@host", "http://user:word@host:80", "http://host/path",
        "http://host?query", "http://host/?query", "http://host#part", "ftp://host", "file:///etc/passwd", "host:80",
        "http://", "http://[::1", "http://ho st", "http://host\n.svc", "http://host\\@other.svc", "http://.svc",
        "http://serving.iris.svc", "http://SERVING.iris.svc:80/", "http://" + "a" * 60_000,
    ],
)  # fmt: skip
def test_address_that_is_no_second_server_is_refused(make: Make, url: str) -> None:
    client = make(lambda request: failing())
    assert client.post("/judge", json=REPLAYED).status_code == 200
    answer = client.post("/judge", json=REPLAYED | {"candidate_url": url})
    assert answer.status_code == 422
    assert len(answer.content) < 2000


@pytest.mark.parametrize(("change", "named"), WRONG.values(), ids=WRONG)
def test_wrong_request_is_refused_by_name(make: Make, change: dict[str, Any], named: str) -> None:
    client = make(lambda request: failing())
    answer = client.post("/judge", json=ASKED | change)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert any(named in fault["feature"] or named in fault["rule"] for fault in answer.json()["errors"])
    assert _metric(client, "mainline_judge_refused_total") == 1


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"\xff", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"x" * 70_000, "application/json", 413),
        (b"{}", "text/plain", 415),
    ],
)
def test_body_that_is_no_request_is_refused(make: Make, content: bytes, kind: str, status: int) -> None:
    client = make(lambda request: failing())
    answer = client.post("/judge", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


class Panic(BaseException):
    """What a native library raises, past `except Exception`."""


class Unprintable(Exception):  # noqa: N818
    """An exception whose message cannot be made."""

    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("by zero"), MemoryError(), SystemExit(3), Panic("p"), Unprintable()]
)
def test_exception_inside_is_inconclusive(make: Make, raised: BaseException) -> None:
    def fail(request: JudgeRequest) -> Judgement:
        raise raised

    client = make(fail)
    answer = client.post("/judge", json=ASKED)
    assert (answer.status_code, answer.json()["verdict"]) == (200, "inconclusive")
    assert type(raised).__name__ in answer.json()["reason"]
    assert _metric(client, "mainline_judge_failed_total") == 1
    assert client.post("/judge", json=ASKED).json()["verdict"] == "inconclusive"  # the bench is free again


def test_exception_deep_inside_is_inconclusive(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*arguments: object, **named: object) -> object:
        raise FloatingPointError("underflow")

    monkeypatch.setattr(assess_module, "judge_inputs", fail)
    leave(tmp_path / "log", made("diabetes-stable"), pods=ASKED["stable_hash"])
    leave(tmp_path / "log", made("diabetes-better"), pods=ASKED["candidate_hash"], version="2")
    sources = Sources((tmp_path / "log").as_uri(), (KEPT.as_uri(),), tmp_path / "cache")
    client = make(lambda request: assess_module.assess(request, sources, now=datetime.now(UTC)))
    told = client.post("/judge", json=ASKED | {"model": "diabetes"}).json()
    assert (told["verdict"], told["reason"]) == (
        "inconclusive",
        "the judge failed inside: FloatingPointError: underflow; see the judge's log",
    )


def test_exception_after_the_judgement_is_inconclusive(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make(lambda request: failing())

    def fail(*arguments: object) -> Judgement:
        raise RuntimeError

    monkeypatch.setattr(module, "_keep", fail)
    answer = client.post("/judge", json=ASKED)
    assert (answer.status_code, answer.json()["verdict"], answer.json()["report"]) == (200, "inconclusive", None)


def test_report_that_cannot_be_kept_costs_no_verdict(make: Make, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file where a folder must be")
    client = make(lambda request: failing())
    told = client.post("/judge", json=ASKED).json()
    assert (told["verdict"], told["report"]) == ("fail", None)
    assert "could not be kept" in told["warnings"][-1]
    assert _metric(client, "mainline_judge_reports_lost_total") == 1


def test_judgement_that_takes_too_long_is_inconclusive_and_keeps_its_place(make: Make) -> None:
    release = threading.Event()

    def slowly(request: JudgeRequest) -> Judgement:
        assert release.wait(10)
        return failing()

    client = make(slowly, judge_seconds=0.1, wait_seconds=0.1)
    begun = time.monotonic()
    first = client.post("/judge", json=ASKED).json()
    second = client.post("/judge", json=ASKED).json()
    assert time.monotonic() - begun < 2
    assert (first["verdict"], second["verdict"]) == ("inconclusive", "inconclusive")
    assert "took over 0.1 s" in first["reason"]
    assert "busy" in second["reason"]
    _until(lambda: client.get("/healthz").status_code == 503)  # only a restart helps a judgement that hangs
    release.set()
    _until(lambda: client.post("/judge", json=ASKED).json()["verdict"] == "fail")
    assert client.get("/healthz").status_code == 200


def test_one_judgement_at_a_time_and_probes_answer_meanwhile(make: Make) -> None:
    running: list[int] = []
    release = threading.Event()

    def slowly(request: JudgeRequest) -> Judgement:
        running.append(1)
        assert release.wait(10)
        return failing()

    client = make(slowly)
    with ThreadPoolExecutor(5) as callers:
        asked = [callers.submit(client.post, "/judge", json=ASKED) for _ in range(5)]
        _until(lambda: len(running) == 1)
        assert client.get("/healthz").status_code == 200
        time.sleep(0.1)
        assert len(running) == 1
        release.set()
        verdicts = [answer.result().json()["verdict"] for answer in asked]
    assert (verdicts, len(running)) == (["fail"] * 5, 5)


def test_too_many_that_wait_are_told_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "MAX_WAITING", 2)
    release = threading.Event()

    def slowly(request: JudgeRequest) -> Judgement:
        assert release.wait(10)
        return failing()

    client = make(slowly)
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(client.post, "/judge", json=ASKED) for _ in range(8)]
        _until(lambda: sum(answer.done() for answer in asked) == 5)
        told = {answer.result().json()["verdict"] for answer in asked if answer.done()}
        release.set()
        verdicts = sorted(answer.result().json()["verdict"] for answer in asked)
    assert told == {"inconclusive"}
    assert verdicts == ["fail"] * 3 + ["inconclusive"] * 5


def test_ready_tells_of_the_store_and_unknown_paths_are_refused(make: Make) -> None:
    client = make(lambda request: failing())
    assert client.get("/ready").json() == {"status": "ready", "capture_log": "reachable"}
    assert client.get("/reports/iris-9").status_code == 404
    assert client.get("/reports/iris-9.json").status_code == 404
    assert client.get("/reports/..%2f..%2fetc").status_code == 404
    refused = client.get("/jugde")
    assert (refused.status_code, refused.json()["errors"][0]["remedy"]) == (404, "did you mean /judge?")
    assert client.get("/judge").status_code == 405


def test_answer_is_strict_json(make: Make) -> None:
    client = make(lambda request: failing())

    def refuse(literal: str) -> None:
        raise AssertionError(literal)

    json.loads(client.post("/judge", json=ASKED).content, parse_constant=refuse)
    assert failing().verdict is Verdict.FAIL
