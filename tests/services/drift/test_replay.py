"""The same rows to preview and active: the pure decision over replies, then real servers around real bundles."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from models.bundle import Bundle
from models.verdict import Verdict
from services.drift import twins
from services.drift.assess import assess
from services.drift.judgement import Judgement
from services.drift.predictions import PredictionLimits
from services.drift.references import References
from services.drift.replay import Exchange, Expected, ReplayLimits, Reply, judge_replay
from services.drift.requests import parse
from services.drift.sources import Sources
from services.serving.app import create
from services.serving.loader import load
from services.serving.metrics import Metrics
from services.serving.settings import Settings
from services.serving.state import State
from tests.services.drift.capture_log import leave
from tests.specimens.making import KEPT, made

STABLE, BETTER = made("diabetes-stable"), made("diabetes-better")
LIMITS = ReplayLimits(
    min_pairs=30, max_error_ratio=0.0, max_latency_ratio=3.0, latency_floor_seconds=0.025,
    predictions=PredictionLimits(
        min_rows=30, min_distinct_rows=30, max_beyond_announced=0.1, max_announced=0.85, max_announced_shift=0.25,
        alpha=0.001,
    ),
)  # fmt: skip
Change = Callable[[int, Reply], Reply]


def _kept(number: int, reply: Reply) -> Reply:
    return reply


def _judged(tmp_path: Path, *, candidate: Change = _kept, stable: Change = _kept, n_rows: int = 113) -> Judgement:
    references = References((KEPT.as_uri(),), tmp_path / "cache")
    ours, theirs = (
        references.get(model="diabetes", uri=bundle.folder.as_uri(), digest=str(bundle.digest))
        for bundle in (BETTER, STABLE)
    )
    rows = ours.held_out[0].matrix[:n_rows]
    told = [bundle.predictor.answers(bundle.predictor.predict(rows)) for bundle in (ours, theirs)]
    exchanges = [
        Exchange(
            number,
            candidate(number, Reply(200, 0.004, str(BETTER.digest), told[0][number])),
            stable(number, Reply(200, 0.004, str(STABLE.digest), told[1][number])),
        )
        for number in range(n_rows)
    ]
    announced = twins.announced(ours, theirs)
    assert announced is not None
    manifest = ours.bundle.manifest
    expected = Expected(manifest, str(BETTER.digest), str(STABLE.digest), ours.answers(rows), announced)
    return judge_replay(exchanges, expected, LIMITS)


def _every(nth: int, **changes: Any) -> Change:
    return lambda number, reply: replace(reply, **changes) if number % nth == 0 else reply


@pytest.mark.parametrize(
    ("given", "verdict", "words"),
    [
        ({}, Verdict.PASS, "113 distinct rows"),
        ({"candidate": _every(50, status=500, prediction=None)}, Verdict.FAIL, "(the first: 500), 2.65%"),
        ({"candidate": _every(50, status=0, digest="", prediction=None)}, Verdict.FAIL, "no answer"),
        ({"candidate": _every(1, status=0, digest="", prediction=None)}, Verdict.INCONCLUSIVE, "cannot be reached"),
        (
            {"candidate": _every(9, status=500, digest=""), "stable": _every(9, status=500, digest="")},
            Verdict.PASS,
            "100 distinct rows",
        ),
        ({"candidate": _every(20, seconds=0.3)}, Verdict.FAIL, "slowest one in fifty takes 300 ms"),
        ({"candidate": _every(100, seconds=0.3)}, Verdict.PASS, ""),
        ({"candidate": _every(1, seconds=0.02)}, Verdict.PASS, ""),
        ({"candidate": _every(1, seconds=0.2), "stable": _every(1, seconds=0.2)}, Verdict.PASS, ""),
        ({"candidate": _every(7, prediction={})}, Verdict.FAIL, "not finite"),
        ({"candidate": _every(7, prediction={"prediction": 1, "lower": 0, "upper": 2})}, Verdict.FAIL, "own bundle"),
        ({"candidate": _every(1, digest=str(STABLE.digest))}, Verdict.INCONCLUSIVE, "113 of 113 replies of"),
        ({"candidate": _every(112, digest=str(STABLE.digest))}, Verdict.INCONCLUSIVE, "2 of 113 replies of"),
        ({"stable": _every(3, digest=str(BETTER.digest))}, Verdict.INCONCLUSIVE, "38 of 113 replies of the active"),
        ({"stable": _every(1, status=503)}, Verdict.INCONCLUSIVE, "at least 30 are needed"),
        ({"n_rows": 29, "candidate": _every(5, status=504)}, Verdict.FAIL, "20.69%"),
        ({"n_rows": 25, "candidate": _every(1, seconds=0.3)}, Verdict.FAIL, "half of the answers take 300 ms"),
        ({"n_rows": 29}, Verdict.INCONCLUSIVE, "29 rows"),
        ({"n_rows": 0}, Verdict.INCONCLUSIVE, "0 rows"),
    ],
    ids=[
        "as announced", "errors", "broken connections", "unreachable", "stable fails too", "slow", "one pause",
        "below the floor", "stable is as slow", "no prediction", "another prediction", "former pods answer",
        "former pods answer too", "others answer as stable too",
        "stable is down", "few but failing", "few but slow", "too few", "none",
    ],
)  # fmt: skip
def test_replies_are_judged(tmp_path: Path, given: dict[str, Any], verdict: Verdict, words: str) -> None:
    judged = _judged(tmp_path, **given)
    assert judged.verdict is verdict, judged.reason
    assert words in judged.reason


@pytest.mark.slow
def test_a_row_that_fails_each_time_fails_whatever_the_share_allows(tmp_path: Path) -> None:
    with (
        _served(made("property-rare"), tmp_path, "2") as ours,
        _served(made("property-stable"), tmp_path, "1") as theirs,
    ):
        judged = _ask(tmp_path, ours, theirs, model="property", rows="400", max_error_ratio="0.5")
    assert judged.verdict is Verdict.FAIL
    assert "fail each time (the first: 500)" in judged.reason


class _Spoilt:
    """An application of which every n-th prediction waits or breaks, or where another answers `later` connections."""

    def __init__(self, app: ASGIApp, *, nth: int = 0, seconds: float = 0.0, later: ASGIApp | None = None) -> None:
        self._app, self._nth, self._seconds, self._seen = app, nth, seconds, 0
        self._later, self._clients = later, set[tuple[str, int]]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._later is not None:
            self._clients.add(scope["client"])
            if len(self._clients) > 3:
                await self._later(scope, receive, send)
                return
        if scope["type"] == "http" and scope["path"] == "/predict":
            self._seen += 1
            if self._nth and self._seen % self._nth == 0:
                if not self._seconds:
                    await send({"type": "http.response.start", "status": 500, "headers": []})
                    await send({"type": "http.response.body", "body": b""})
                    return
                await asyncio.sleep(self._seconds)
        await self._app(scope, receive, send)


def _state(bundle: Bundle, tmp_path: Path, version: str, *, pods: str = "") -> State:
    settings = Settings(
        model=bundle.manifest.model, version=version, uri=bundle.folder.as_uri(), digest=str(bundle.digest),
        cache=tmp_path / "served", pod_template_hash=pods or {"1": "s"}.get(version, "c"),
    )  # fmt: skip
    state = State(settings, Metrics(model=settings.model, version=version, digest=settings.digest))
    state.served = load(settings)
    return state


@contextmanager
def _served(bundle: Bundle, tmp_path: Path, version: str, *, pods: str = "", **spoilt: Any) -> Iterator[str]:
    """A real server of the bundle, in a thread."""
    state = _state(bundle, tmp_path, version, pods=pods)
    config = uvicorn.Config(_Spoilt(create(state), **spoilt), host="127.0.0.1", port=0, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _ask(tmp_path: Path, candidate_url: str, stable_url: str, **asked: Any) -> Judgement:
    log = tmp_path / "log"
    log.mkdir(exist_ok=True)
    request = {
        "check": "replay", "model": "diabetes", "candidate_hash": "c", "stable_hash": "s", "rows": "150",
        "candidate_url": candidate_url, "stable_url": stable_url, "min_distinct_rows": "100", "alpha": "0.001",
        "max_beyond_announced": "0.1", "max_announced": "0.85", "max_announced_shift": "0.25",
        "max_latency_ratio": "3.0", "latency_floor_seconds": "0.15", "max_error_ratio": "0.0", **asked,
    }  # fmt: skip
    sources = Sources(log.as_uri(), (KEPT.as_uri(),), tmp_path / "cache", ("127.0.0.1",))
    return assess(parse(request), sources, now=datetime.now(UTC))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("candidate", "spoilt", "verdict", "words"),
    [
        ("better", {}, Verdict.PASS, "113 distinct rows"),
        ("unit", {}, Verdict.FAIL, "announced difference"),
        ("better", {"nth": 50}, Verdict.FAIL, "not answered by the preview"),
        ("better", {"nth": 20, "seconds": 0.3}, Verdict.FAIL, "slowest one in fifty"),
    ],
    ids=["better", "wrong unit", "one error in fifty", "one in twenty slow"],
)
def test_real_servers_are_compared_on_the_same_rows(
    tmp_path: Path, candidate: str, spoilt: dict[str, Any], verdict: Verdict, words: str
) -> None:
    preview = made(f"diabetes-{candidate}")
    with _served(preview, tmp_path, "2", **spoilt) as ours, _served(STABLE, tmp_path, "1") as theirs:
        judged = _ask(tmp_path, ours, theirs)
    assert judged.verdict is verdict, judged.reason
    assert words in judged.reason
    assert judged.candidate is not None
    assert (judged.candidate.version, judged.candidate.digest) == ("2", str(preview.digest))
    assert judged.method[-1].startswith("Rows: 0 distinct ones that stable answered, 1")


def test_captured_rows_come_before_held_out_ones(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    leave(tmp_path / "log", STABLE, pods="s", n_rows=120)
    with _served(BETTER, tmp_path, "2") as ours, _served(STABLE, tmp_path, "1") as theirs:
        judged = _ask(tmp_path, ours, theirs)
    assert judged.verdict is Verdict.PASS, judged.reason
    assert "120 distinct ones that stable answered, 30 held-out ones" in judged.method[-1]


def test_servers_that_are_not_there_or_are_others_are_inconclusive(tmp_path: Path) -> None:
    with _served(STABLE, tmp_path, "1") as theirs, _served(BETTER, tmp_path, "2") as ours:
        judged = {
            "NotReached": _ask(tmp_path, "http://127.0.0.1:9", theirs),
            "the preview serves another model than iris": _ask(tmp_path, ours, theirs, model="iris"),
            "the preview is answered by other pods than those of hash d": _ask(
                tmp_path, ours, theirs, candidate_hash="d"
            ),
            "the active is answered by other pods than those of hash d": _ask(tmp_path, ours, theirs, stable_hash="d"),
            "the preview is answered by other": _ask(tmp_path, theirs, ours),
            "may not ask this host": _ask(tmp_path, ours, "http://localhost:1"),
        }
    for words, each in judged.items():
        assert each.verdict is Verdict.INCONCLUSIVE
        assert words.replace("NotReached", "ConnectionRefusedError") in each.reason


def test_the_same_bundle_of_other_pods_is_compared(tmp_path: Path) -> None:
    with _served(STABLE, tmp_path, "1") as theirs, _served(STABLE, tmp_path, "1", pods="c") as ours:
        judged = _ask(tmp_path, ours, theirs)
    assert judged.verdict is Verdict.PASS, judged.reason


@pytest.mark.parametrize("alike", [False, True], ids=["another bundle", "the same bundle"])
def test_a_service_that_leads_to_other_pods_too_is_inconclusive(tmp_path: Path, alike: bool) -> None:
    """The first connections are answered by the candidate's pod, later ones by another."""
    other = _state(BETTER if alike else STABLE, tmp_path, "2", pods="d")
    with _served(BETTER, tmp_path, "2", later=create(other)) as ours, _served(STABLE, tmp_path, "1") as theirs:
        judged = _ask(tmp_path, ours, theirs)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "several versions answer as the preview" in judged.reason
