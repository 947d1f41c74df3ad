"""What the routes answer."""

import json
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from services.logs import JsonLines
from services.replayed import PREFIX
from services.serving.app import create
from services.serving.capture import Capture
from services.serving.state import State
from tests.services.serving.conftest import FEATURES, ROW, Made, loaded_state, metric

EXPECTED = 41.5 + 6 + 1 + 1 + 13938
SHAPES: dict[str, tuple[dict[str, Any], int]] = {
    "one row": (ROW, 1),
    "many rows": ({"instances": [ROW] * 3}, 3),
    "one positional row": ({"features": list(ROW.values())}, 1),
    "many positional rows": ({"features": [list(ROW.values())] * 40}, 40),  # off the event loop
}


@pytest.mark.parametrize(("body", "n_rows"), SHAPES.values(), ids=SHAPES)
def test_each_shape_is_answered_alike(client: TestClient, regression: Made, body: dict[str, Any], n_rows: int) -> None:
    answer = client.post("/predict", json=body, headers={"X-Request-Id": "mine-1"})
    document = answer.json()
    assert answer.status_code == 200, document
    assert answer.headers["mainline-digest"] == regression.digest
    assert answer.headers["x-request-id"] == "mine-1"
    head = {"model": "house", "version": "7", "digest": regression.digest, "request_id": "mine-1", "warnings": []}
    assert {name: value for name, value in document.items() if name != "predictions"} == head
    assert len(document["predictions"]) == n_rows
    assert document["predictions"][0]["prediction"] == pytest.approx(EXPECTED, abs=0.01)
    assert document["predictions"][0]["upper"] - document["predictions"][0]["lower"] == pytest.approx(5, abs=0.01)
    assert metric(client, "mainline_predicted_rows_total", 'model="house"', 'model_version="7"') == n_rows
    assert metric(client, "mainline_requests_total", 'outcome="answered"') == 1
    assert metric(client, "mainline_request_duration_seconds_count") == 1


def test_judges_own_requests_are_answered_and_are_no_traffic(state: State) -> None:
    taken: list[str] = []

    class Taking(Capture):
        def offer(self, request_id: str, *arguments: object, **named: object) -> None:
            taken.append(request_id)

    capture = Taking(state.settings, state.metrics, write=lambda uri, data: None, rng=random.Random(1))  # noqa: S311
    client = TestClient(create(state, capture=capture))
    for request_id in (f"{PREFIX}1", "r1", f"x-{PREFIX}1"):
        answer = client.post("/predict", json=ROW, headers={"X-Request-Id": request_id})
        assert (answer.status_code, answer.headers["x-request-id"]) == (200, request_id)
    assert client.post("/predict", json={}, headers={"X-Request-Id": f"{PREFIX}2"}).status_code == 422
    assert taken == ["r1", f"x-{PREFIX}1"]
    assert metric(client, "mainline_requests_total", 'outcome="answered"') == 2
    assert metric(client, "mainline_requests_total", 'outcome="refused"') == 0
    assert metric(client, "mainline_request_duration_seconds_count") == 2
    assert metric(client, "mainline_predicted_rows_total") == 2
    assert (metric(client, "mainline_requests_in_flight"), state.in_flight) == (0, 0)


def test_classification_is_answered_by_class_and_probabilities(classification: Made) -> None:
    client = TestClient(create(loaded_state(classification)))
    prediction = client.post("/predict", json=ROW).json()["predictions"][0]
    assert prediction["prediction"] == "dear"
    assert math.fsum(prediction["probabilities"].values()) == pytest.approx(1)


def test_tolerated_values_are_answered_with_warnings(client: TestClient) -> None:
    document = client.post("/predict", json=ROW | {"age": 130, "street": "Mud"}).json()
    assert len(document["predictions"]) == 1
    assert [(warning["feature"], warning["value"]) for warning in document["warnings"]] == [
        ("age", 130),
        ("street", "Mud"),
    ]


@pytest.mark.parametrize(("row", "status"), [(ROW, 500), (ROW | {"age": 130}, 422)])
def test_no_finite_answer_is_the_models_failure_unless_a_value_was_out_of_range(
    state: State, row: dict[str, Any], status: int
) -> None:
    assert state.served is not None
    client = TestClient(create(state), raise_server_exceptions=False)
    state.served.predictor.predict = lambda matrix: {"prediction": np.full(len(matrix), np.inf)}  # type: ignore[method-assign]
    answer = client.post("/predict", json=row)
    assert (answer.status_code, answer.json()["type"]) == (status, "/docs#no-finite-answer")


def test_unforeseen_failure_tells_no_traceback(state: State) -> None:
    assert state.served is not None

    def fail(matrix: object) -> dict[str, Any]:
        raise RuntimeError("secret 41.5")

    state.served.predictor.predict = fail  # type: ignore[method-assign]
    answer = TestClient(create(state), raise_server_exceptions=False).post("/predict", json=ROW)
    assert (answer.status_code, answer.json()["type"]) == (500, "/docs#internal")
    assert "secret" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("loaded", "draining", "phase"), [(False, False, "loading"), (True, True, "draining")])
def test_not_ready_says_why(state: State, loaded: bool, draining: bool, phase: str) -> None:
    state.served = state.served if loaded else None
    state.draining = draining
    client = TestClient(create(state))
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["errors"][0]["value"]) == (503, phase)
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/healthz").status_code == 200
    assert client.post("/predict", json=ROW).status_code == (200 if loaded else 503)
    assert metric(client, "mainline_ready") == 0


def test_what_a_caller_sent_is_not_logged(
    client: TestClient, state: State, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(matrix: object) -> object:
        raise RuntimeError("Elm Street 9")

    def logged(path: str, row: object) -> list[str]:
        caplog.clear()
        client.post(path, json=row)
        lines = [JsonLines({}).format(record) for record in caplog.records if record.name == "mainline"]
        assert not any("Elm" in line for line in lines)
        return lines

    with caplog.at_level("INFO", logger="mainline"):
        assert "zone: must be one of" in logged("/predict", ROW | {"zone": "Elm Street 9"})[0]
        assert "unknown feature" in logged("/predict", ROW | {"Elm Street 9": 1})[0]
        assert logged("/v2/models/Elm Street 9/infer", ROW)
        assert state.served is not None
        monkeypatch.setattr(state.served.predictor, "predict", fail)
        assert "RuntimeError" in logged("/predict?street=Elm", ROW)[0]


@pytest.mark.parametrize(
    "broken", [RuntimeError("secret"), np.full(1, np.nan, dtype=np.float32)], ids=["raises", "nan"]
)
def test_model_that_stops_answering_is_not_ready(
    client: TestClient, state: State, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(matrix: object) -> object:
        if isinstance(broken, Exception):
            raise broken
        return {"prediction": broken}

    assert state.served is not None
    assert client.get("/ready").status_code == 200
    monkeypatch.setattr(state.served.predictor, "predict", predict)
    for path in ("/ready", "/v2/health/ready", "/v2/models/house/ready"):
        answer = client.get(path)
        assert (answer.status_code, "secret" in answer.text) == (503, False)
    told = client.get("/ready").json()
    assert (told["errors"][0]["value"], "house" in told["detail"]) == ("failing", True)
    assert client.get("/healthz").status_code == 200
    monkeypatch.undo()
    assert client.get("/ready").status_code == 200


def test_answers_close_connections_while_draining(client: TestClient, state: State) -> None:
    assert "connection" not in client.post("/predict", json=ROW).headers
    state.drain()
    assert client.post("/predict", json=ROW).headers["connection"] == "close"


def test_metadata_leads_back_to_the_commit(client: TestClient, regression: Made) -> None:
    document = client.get("/metadata").json()
    assert (document["digest"], document["version"], document["lineage"]["commit"]) == (
        regression.digest,
        "7",
        "c" * 40,
    )
    assert document["hash"] == "local"
    assert [entry["name"] for entry in document["inputs"]] == [feature.name for feature in FEATURES]


def test_openapi_describes_the_model_and_its_examples_work(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    row = document["components"]["schemas"]["Row"]["properties"]
    assert row["rooms"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 20,
        "description": "from 1 to 20, beyond: refuse",
    }
    assert row["zone"]["enum"] == ["north", "south"]
    assert "in years" in row["age"]["description"]
    examples = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        assert client.post("/predict", json=example["value"]).status_code == 200
    references = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])


def test_docs_need_nothing_from_elsewhere(client: TestClient) -> None:
    text = client.get("/docs").text
    assert "http://" not in text
    assert "https://" not in text
    assert all(feature.name in text for feature in FEATURES)


def test_digest_is_a_label_of_the_info_metric_alone(client: TestClient, regression: Made) -> None:
    client.post("/predict", json=ROW, headers={"X-Request-Id": "needle"})
    text = client.get("/metrics").text
    assert [line.split("{")[0] for line in text.splitlines() if regression.digest in line] == ["mainline_model_info"]
    assert "needle" not in text


@pytest.mark.parametrize(
    ("method", "path", "status", "remedy"),
    [("GET", "/predictt", 404, "/predict"), ("GET", "/predict", 405, "POST"), ("PUT", "/ready", 405, "GET")],
)
def test_wrong_path_or_method_is_a_problem(
    client: TestClient, method: str, path: str, status: int, remedy: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert remedy in answer.json()["errors"][0]["remedy"]


@pytest.mark.parametrize(
    "given_id", ["", "a" * 129, "with space", "caf\u00e9"], ids=["empty", "long", "space", "latin"]
)
def test_odd_request_id_is_replaced(client: TestClient, given_id: str) -> None:
    answer = client.post("/predict", json=ROW, headers={b"X-Request-Id": given_id.encode("latin-1")})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == answer.json()["request_id"] != given_id


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["south", "2008-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*ROW, "instances", "features"]), inner)
    ),
    max_leaves=12,
)
_headers = st.dictionaries(
    st.sampled_from([b"content-type", b"x-request-id", b"content-encoding", b"accept", b"cookie", b"traceparent"]),
    st.binary(max_size=12).filter(lambda value: not set(value) & set(b"\r\n\0")),
    max_size=3,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/predict", "/predict", "/predict", "/ready", "/metadata", "/docs", "/x/../%00", "//"]),
    method=st.sampled_from(["POST", "POST", "GET", "PUT", "OPTIONS"]),
    body=st.binary(max_size=30) | _values.map(lambda value: json.dumps(value).encode()),
    headers=_headers,
)
def test_no_request_gives_a_failure(
    client: TestClient, path: str, method: str, body: bytes, headers: dict[bytes, bytes]
) -> None:
    answer = client.request(method, path, content=body, headers={b"content-type": b"application/json"} | headers)
    assert answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
