"""What /explain answers, and that predictions do not wait for it."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.bundle import Bundle
from services.serving.app import create
from services.serving.explain import EXACT, MAX_ROWS, SAMPLED, explanations
from services.serving.settings import Settings
from services.serving.state import State
from tests.services.serving.conftest import ROW, Made, Running, loaded_state, make_bundle
from tests.specimens.making import made

# Two encoded rows as training would have left them; the graph of a regression adds up a row.
BACKGROUND = [[30.0, 4.0, 0.0, 1.0, 13938.0], [60.0, 5.0, 2.0, 0.0, 13900.0]]
EXPECTED = {"age": 41.5 - 45, "rooms": 6 - 4.5, "street": 1 - 1.0, "zone": 1 - 0.5, "sold": 13938 - 13919.0}


@pytest.fixture(scope="session")
def summing(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_bundle(tmp_path_factory.mktemp("bundle"), background=BACKGROUND)


@pytest.fixture(scope="session")
def choosing(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_bundle(tmp_path_factory.mktemp("bundle"), task="classification", background=BACKGROUND)


@pytest.fixture
def client(summing: Made) -> TestClient:
    return TestClient(create(loaded_state(summing)), raise_server_exceptions=False)


def test_contributions_of_a_sum_are_its_differences_from_the_background(client: TestClient, summing: Made) -> None:
    answer = client.post("/explain", json=ROW, headers={"X-Request-Id": "why"})
    document = answer.json()
    assert answer.status_code == 200, document
    (explained,) = document.pop("explanations")
    head = {"model": "house", "version": "7", "digest": summing.digest, "request_id": "why", "warnings": []}
    assert document == head
    assert explained.pop("contributions") == pytest.approx(EXPECTED, abs=0.003)
    assert explained.pop("value") == pytest.approx(41.5 + 6 + 1 + 1 + 13938, abs=0.01)
    assert explained.pop("base_value") == pytest.approx(13970, abs=0.01)
    assert explained == {
        "unit": "USD",
        "standard_errors": dict.fromkeys(ROW, 0.0),
        "method": EXACT,
        "samples": 2 * 2**5,
        "background_rows": 2,
        "graph_rows": 3 + 2 * (2**5 - 2),
        "complete": True,
    }


def test_a_class_is_explained_by_its_probability(choosing: Made) -> None:
    client = TestClient(create(loaded_state(choosing)))
    predicted = client.post("/predict", json=ROW).json()["predictions"][0]
    dear, cheap = (
        client.post(path, json=ROW).json()["explanations"][0] for path in ("/explain", "/explain?class=cheap")
    )
    assert (dear["class"], cheap["class"]) == (predicted["prediction"], "cheap") == ("dear", "cheap")
    for explained in (dear, cheap):
        assert explained["value"] == pytest.approx(predicted["probabilities"][explained["class"]], abs=1e-6)
        total = sum(explained["contributions"].values())
        assert total == pytest.approx(explained["value"] - explained["base_value"], abs=1e-9)
    assert dear["contributions"]["sold"] == pytest.approx(-cheap["contributions"]["sold"], abs=1e-6)
    assert dear["contributions"]["sold"] > 0.0001


def test_rows_are_explained_each_for_itself_with_warnings(client: TestClient) -> None:
    odd = ROW | {"age": 130, "street": None}
    document = client.post("/explain", json={"instances": [ROW, odd]}).json()
    first, second = (explained["contributions"] for explained in document["explanations"])
    assert first == pytest.approx(EXPECTED, abs=0.003)
    assert second == pytest.approx(EXPECTED | {"age": 130 - 45, "street": 2 - 1.0}, abs=0.003)
    assert [(warning["row"], warning["feature"]) for warning in document["warnings"]] == [(1, "age")]


REFUSED: dict[str, tuple[str, Any, int, str, str]] = {
    "a class of a number": ("/explain?class=dear", ROW, 400, "request-refused", "predicts a number, no class"),
    "another query": ("/explain?samples=9", ROW, 400, "request-refused", "one class and nothing else"),
    "two classes": ("/explain?class=a&class=b", ROW, 400, "request-refused", "one class and nothing else"),
    "too many rows": ("/explain", {"instances": [ROW] * (MAX_ROWS + 1)}, 413, "too-many-rows", f"at most {MAX_ROWS}"),
    "a value that no row has": ("/explain", ROW | {"rooms": 99}, 422, "rows-refused", "must be within [1.0, 20.0]"),
    "no row": ("/explain", [], 422, "shape", "one row as an object"),
}


@pytest.mark.parametrize(("path", "body", "status", "kind", "rule"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_why(client: TestClient, path: str, body: Any, status: int, kind: str, rule: str) -> None:
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/docs#{kind}")
    assert rule in answer.json()["errors"][0]["rule"]


def test_an_unknown_class_is_refused_with_the_nearest(choosing: Made) -> None:
    answer = TestClient(create(loaded_state(choosing))).post("/explain?class=deer", json=ROW)
    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (400, "must be one of cheap, dear")
    assert answer.json()["errors"][0]["remedy"] == "did you mean dear?"


def test_a_bundle_without_background_explains_nothing(regression: Made) -> None:
    answer = TestClient(create(loaded_state(regression))).post("/explain", json=ROW)
    assert (answer.status_code, answer.json()["type"]) == (409, "/docs#no-background")


def test_an_explanation_that_is_not_finite_is_no_failure_of_the_server(summing: Made) -> None:
    state = loaded_state(summing)
    assert state.served is not None
    predict = state.served.predictor.predict

    def spoilt(matrix: Any) -> Any:
        outputs = predict(matrix)
        return {name: np.where(matrix[:, 0] == 30, np.inf, values) for name, values in outputs.items()}

    state.served.predictor.predict = spoilt  # type: ignore[method-assign]
    answer = TestClient(create(state), raise_server_exceptions=False).post("/explain", json=ROW)
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#no-finite-answer")


@pytest.mark.slow  # bundles are trained where none are kept
def test_the_time_is_shared_by_the_rows_of_a_request(tmp_path: Path) -> None:
    state = _state(made("property-stable"), tmp_path)
    assert state.served is not None
    rows = made("property-stable").golden.rows[:3]
    whole, _ = explanations(state.served, rows, None, seconds=1e9)
    assert {each["method"] for each in whole} == {SAMPLED}
    assert all(each["complete"] and each["background_rows"] == 100 for each in whole)
    times = iter(float(number) for number in range(1_000_000))
    begun, _ = explanations(state.served, rows, None, seconds=30.0, clock=lambda: next(times))
    assert not any(each["complete"] for each in begun)
    used = [each["graph_rows"] for each in begun]
    assert max(used) < 2 * min(used) < 0.5 * whole[0]["graph_rows"]
    for each in (*whole, *begun):
        assert sum(each["contributions"].values()) == pytest.approx(each["value"] - each["base_value"], abs=1e-6)
    again, _ = explanations(state.served, rows[1:2], None, seconds=1e9)
    assert again[0] == whole[1]


def test_beyond_a_few_at_once_callers_come_back_and_predictions_go_on(summing: Made) -> None:
    state = loaded_state(summing)
    assert state.served is not None
    predict, entered, release = state.served.predictor.predict, threading.Semaphore(0), threading.Event()

    def slowly(matrix: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            entered.release()
            assert release.wait(10)
        return predict(matrix)

    state.served.predictor.predict = slowly  # type: ignore[method-assign]

    async def ask() -> None:
        transport = httpx2.ASGITransport(create(state))
        async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
            running = [asyncio.create_task(client.post("/explain", json=ROW)) for _ in range(2)]
            for _ in running:
                await asyncio.to_thread(entered.acquire)
            third = await client.post("/explain", json=ROW)
            assert (third.status_code, third.json()["type"]) == (503, "/docs#busy")
            assert third.headers["retry-after"] == "1"
            assert (await client.post("/predict", json=ROW)).status_code == 200
            release.set()
            assert [(await task).status_code for task in running] == [200, 200]
            assert (await client.post("/explain", json=ROW)).status_code == 200

    asyncio.run(ask())


def test_a_refusal_gives_its_place_back(client: TestClient) -> None:
    for _ in range(5):
        assert client.post("/explain", json=ROW | {"rooms": 99}).status_code == 422
    assert client.post("/explain", json=ROW).status_code == 200


@pytest.mark.parametrize("task", ["summing", "choosing"])
def test_openapi_and_docs_describe_both_routes_with_examples_that_work(
    task: str, request: pytest.FixtureRequest
) -> None:
    client = TestClient(create(loaded_state(request.getfixturevalue(task))))
    document = client.get("/openapi.json").json()
    for path, status in (("/explain", 200), ("/feedback", 409)):  # no capture log here
        operation = document["paths"][path]["post"]
        for example in operation["requestBody"]["content"]["application/json"]["examples"].values():
            assert client.post(path, json=example["value"]).status_code == status
        assert f"POST {path}" in client.get("/docs").text
    answer = client.post("/explain", json=ROW).json()["explanations"][0]
    schema = document["components"]["schemas"]["Explanation"]
    assert set(answer) == set(schema["required"]) == set(schema["properties"])
    references = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])
    near = client.post("/explian", json=ROW).json()["errors"][0]["remedy"]
    assert near == "did you mean /explain?"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/explain", "/explain?class=dear", "/explain?x", "/feedback", "/feedback?a=b"]),
    method=st.sampled_from(["POST", "POST", "POST", "GET", "PUT"]),
    body=st.binary(max_size=20)
    | st.dictionaries(
        st.sampled_from([*ROW, "instances", "features", "request_id", "truth", "row", "feedback"]),
        st.none() | st.floats() | st.integers() | st.text(max_size=5) | st.lists(st.just(ROW), max_size=3),
    ).map(lambda value: json.dumps(value).encode())
    | st.just(json.dumps(ROW).encode()),
)
def test_no_request_gives_a_failure(client: TestClient, path: str, method: str, body: bytes) -> None:
    answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


def _state(bundle: Bundle, cache: Path) -> State:
    return loaded_state(Made(bundle.folder, bundle.digest, _settings(bundle, cache)))


def _settings(bundle: Bundle, cache: Path) -> Settings:
    return Settings(bundle.manifest.model, "1", bundle.folder.as_uri(), bundle.digest, cache, host="127.0.0.1")


@pytest.mark.slow
def test_a_process_explains_an_iris(start: Callable[..., Running], tmp_path: Path) -> None:
    bundle = made("iris-stable")
    running = start(_settings(bundle, tmp_path))
    row = bundle.golden.rows[0]
    answers = [httpx2.post(f"{running.url}/explain", json=row).json()["explanations"][0] for _ in range(2)]
    assert answers[0] == answers[1]
    explained = answers[0]
    assert (explained["method"], explained["background_rows"], explained["complete"]) == (EXACT, 100, True)
    predicted = httpx2.post(f"{running.url}/predict", json=row).json()["predictions"][0]
    assert predicted["probabilities"][explained["class"]] == pytest.approx(explained["value"], abs=1e-6)
    total = sum(explained["contributions"].values())
    assert total == pytest.approx(explained["value"] - explained["base_value"], abs=1e-9)
