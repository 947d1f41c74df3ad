"""Whatever is sent to the judge: a judgement or a refusal that is a 4xx, never an error of the server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from services.drift.app import create
from services.drift.bench import Bench
from services.drift.metrics import Metrics
from services.drift.shelf import Shelf
from tests.services.drift.judgements import failing

SOUND: dict[str, Any] = {
    "check": "inputs", "model": "iris", "candidate_hash": "a", "stable_hash": "b", "window": "30m", "alpha": "0.001",
    "min_rows": "500", "min_distinct_rows": "100", "max_distance": "0.2", "compare": "same", "rows": "300",
    "candidate_url": "http://a.svc", "stable_url": "http://b.svc:8080", "max_beyond_announced": "0.1",
    "max_announced": "0.5", "max_announced_shift": "0.25", "max_error_ratio": "0", "max_latency_ratio": "2",
    "latency_floor_seconds": "0.025", "min_feedback": "100", "max_worse": "0.1",
}  # fmt: skip
OF_CHECK = {
    "inputs": ("window", "alpha", "min_rows", "min_distinct_rows", "max_distance", "compare"),
    "predictions": ("window", "min_rows", "max_beyond_announced", "max_announced", "max_announced_shift", "compare"),
    "replay": (
        "window", "rows", "candidate_url", "stable_url", "max_beyond_announced", "max_announced", "max_error_ratio",
        "max_latency_ratio", "latency_floor_seconds",
    ),
    "quality": ("window", "min_feedback", "max_worse"),
}  # fmt: skip
COMMON = ("check", "model", "candidate_hash", "stable_hash")
NUMBERS = st.sampled_from(["1e999", "-1", "NaN", "Infinity", "1" * 4000, "0x10", "1_0", "9" * 25 + "w", "1e3m", "0s"])
URLS = st.from_regex(r"https?://[ -~]{0,30}(:[0-9]{0,7})?[ -~]{0,5}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | NUMBERS | URLS
    | st.sampled_from([10**400, -(10**30), 1e308, "\ud800", "\x00", "P999999999999D"])
    | st.from_regex(r"([0-9]{1,40}(\.[0-9]{1,40})?(ms|[smhdw])){1,3}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Of a judge whose judgement is known."""
    folder: Path = tmp_path_factory.mktemp("reports")
    metrics = Metrics()
    bench = Bench(lambda request: failing(), metrics, judge_seconds=5.0, wait_seconds=5.0)
    app = create(bench, Shelf(folder, max_reports=3), metrics, store_state=lambda: "reachable", body_seconds=1.0)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@st.composite
def _requests(draw: st.DrawFn) -> dict[str, Any]:
    check = draw(st.sampled_from(sorted(OF_CHECK)))
    request = {name: SOUND[name] for name in (*COMMON, *OF_CHECK[check])} | {"check": check}
    for name in draw(st.lists(st.sampled_from(sorted(request)), max_size=3)):
        request[name] = draw(VALUES)
    return request


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_requests())
@example({"check": "inputs", **{name: SOUND[name] for name in OF_CHECK["inputs"]}, "window": "9" * 23 + "w"})
def test_any_request_is_judged_or_refused(client: TestClient, request: dict[str, Any]) -> None:
    answer = client.post("/judge", content=json.dumps(request), headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400, 422), answer.text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_any_document_is_refused(client: TestClient, document: object) -> None:
    answer = client.post("/judge", content=json.dumps(document), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
