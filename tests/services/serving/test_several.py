"""Two models in one server: each answers as if it were alone, and one that fails leaves the other be."""

import contextlib
import dataclasses
import gzip
import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from services.serving.app import create
from tests.services.serving.conftest import ROW, Made, Running, loaded_state, metric
from tests.services.serving.together import FLAT_ROW, Two, pinned, serve

Start = Callable[..., Running]


@pytest.fixture
def two(regression: Made, flat: Made) -> Two:
    return serve(pinned(regression, flat))


def damaged(flat: Made, to: Path) -> Made:
    """The same release, whose bundle was changed since."""
    folder = to / "damaged"
    shutil.copytree(flat.folder, folder)
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    settings = dataclasses.replace(flat.settings, uri=folder.as_uri(), cache=to / "empty")
    return dataclasses.replace(flat, folder=folder, settings=settings)


def settled(running: Running, seconds: float = 30.0) -> list[tuple[str, str]]:
    """What /ready says of each model that is missing, once none is loading."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(httpx2.TransportError):
            errors = httpx2.get(f"{running.url}/ready").json().get("errors", [])
            told = [(error["feature"], error["value"]) for error in errors]
            if "loading" not in dict(told).values():
                return told
        time.sleep(0.03)
    raise AssertionError(f"not settled after {seconds} s")


ASKED: dict[str, tuple[str, str, Any]] = {
    "a row": ("POST", "/predict", FLAT_ROW),
    "rows": ("POST", "/predict", {"instances": [FLAT_ROW, FLAT_ROW | {"area": 10}]}),
    "a row that is refused": ("POST", "/predict", FLAT_ROW | {"floor": 91}),
    "a row of the other model": ("POST", "/predict", ROW),
    "no explanation": ("POST", "/explain", FLAT_ROW),
    "feedback": ("POST", "/feedback", {"request_id": "a", "truth": "dear"}),
    "metadata": ("GET", "/metadata", None),
    "the protocol's metadata": ("GET", "/v2/models/flat", None),
    "the protocol's readiness": ("GET", "/v2/models/flat/ready", None),
    "the protocol's refusal": ("POST", "/v2/models/flat/infer", {}),
    "another version": ("GET", "/v2/models/flat/versions/8", None),
}


@pytest.mark.parametrize(("method", "path", "body"), ASKED.values(), ids=ASKED)
def test_a_model_answers_as_if_it_were_alone(two: Two, flat: Made, method: str, path: str, body: Any) -> None:
    alone = TestClient(create(loaded_state(flat)), raise_server_exceptions=False)
    headers = {"X-Request-Id": "mine"}
    wanted = alone.request(method, path, json=body, headers=headers)
    paths = [f"/models/flat{path}", *([path] if path.startswith("/v2") else [])]
    for asked in paths:
        got = two.client.request(method, asked, json=body, headers=headers)
        assert (got.status_code, got.headers["mainline-digest"]) == (wanted.status_code, flat.digest)
        assert got.text.replace(f"/models/flat{path}", path) == wanted.text
        assert {*got.headers.items()} - {*wanted.headers.items()} <= {("content-length", str(len(got.content)))}


def test_a_models_description_has_its_own_address_and_what_is_there(two: Two, flat: Made) -> None:
    """So that a client made of it asks this model, and not the main one."""
    alone = TestClient(create(loaded_state(flat)))
    wanted, told = alone.get("/openapi.json").json(), two.client.get("/models/flat/openapi.json").json()
    assert told.pop("servers") == [{"url": "/models/flat"}]
    del wanted["paths"]["/healthz"], wanted["paths"]["/ready"]
    assert told == wanted
    for path, operations in told["paths"].items():
        for method in operations:
            assert two.client.request(method, f"/models/flat{path}").status_code not in (404, 405), path


def test_a_models_page_names_its_own_address(two: Two, flat: Made) -> None:
    alone = TestClient(create(loaded_state(flat))).get("/docs").text
    for route in ("predict", "explain", "feedback"):
        alone = alone.replace(f"POST /{route}<", f"POST /models/flat/{route}<")
    assert two.client.get("/models/flat/docs").text == alone


def test_paths_that_name_no_model_are_the_main_ones(two: Two, regression: Made) -> None:
    for path in ("/predict", "/models/house/predict"):
        answer = two.client.post(path, json=ROW)
        assert (answer.status_code, answer.json()["digest"]) == (200, regression.digest)
    assert two.client.get("/v2/models/house").json()["name"] == "house"
    assert two.client.get("/metadata").json()["model"] == "house"


def test_each_model_is_counted_under_its_own_labels(two: Two) -> None:
    for path, row in (("/predict", ROW), ("/models/flat/predict", FLAT_ROW), ("/models/flat/predict", {})):
        two.client.post(path, json=row)
    asked = {"inputs": [{"name": "rows", "datatype": "FP32", "shape": [2, 3], "data": [80, 4, 1, 80, 4, 1]}]}
    assert two.client.post("/v2/models/flat/infer", json=asked).status_code == 200
    for model, answered, refused, rows in (("house", 1, 0, 1), ("flat", 2, 1, 3)):
        label = f'model="{model}"'
        assert metric(two.client, "mainline_requests_total", label, 'outcome="answered"') == answered
        assert metric(two.client, "mainline_requests_total", label, 'outcome="refused"') == refused
        assert metric(two.client, "mainline_request_duration_seconds_count", label) == answered
        assert metric(two.client, "mainline_predicted_rows_total", label) == rows
        assert metric(two.client, "mainline_ready", label) == 1
        assert metric(two.client, "mainline_model_memory_bytes", label) >= 0
        assert metric(two.client, "mainline_requests_in_flight", label) == 0


def test_metrics_of_both_are_one_text_in_which_each_family_stands_once(two: Two) -> None:
    text = two.client.get("/metrics").text
    families = [family.name for family in text_string_to_metric_families(text)]
    assert len(families) == len(set(families))
    assert sum(line.startswith("process_resident_memory_bytes ") for line in text.splitlines()) == 1


def test_series_of_both_differ_where_the_model_is_said_by_the_pod(regression: Made, flat: Made) -> None:
    """As manifests/platform/prometheus/scrape-serving.yml has it: `model` is overwritten, what stood there dropped."""
    two = serve(pinned(regression, flat))
    samples = [
        sample
        for family in text_string_to_metric_families(two.client.get("/metrics").text)
        for sample in family.samples
    ]
    series = [(sample.name, *sorted((sample.labels | {"model": "house"}).items())) for sample in samples]
    assert len(set(series)) == len(series)
    assert {sample.labels["beside"] for sample in samples if "beside" in sample.labels} == {"flat"}
    alone = TestClient(create(loaded_state(regression))).get("/metrics").text
    assert "beside" not in alone


def test_rows_of_both_wait_in_one_room(two: Two) -> None:
    assert two.house.state.rows is two.flat.state.rows


def test_models_are_listed_with_their_state_and_memory(two: Two, regression: Made, flat: Made) -> None:
    told = two.client.get("/models").json()
    assert (told["main"], told["route"]) == ("house", None)
    for name, made in (("house", regression), ("flat", flat)):
        found = told["models"][name]
        assert (found["version"], found["digest"], found["state"]) == ("7", made.digest, "ready")
        assert found["memory_bytes"] == metric(two.client, "mainline_model_memory_bytes", f'model="{name}"')


@pytest.mark.parametrize(
    ("path", "feature", "remedy"),
    [
        ("/models/flats/predict", "model", 'did you mean "flat"?'),
        ("/models/x", "model", "see /models"),
        ("/models/flat/predicted", "path", "ask for one of them"),
        ("/models/flat", "path", "ask for one of them"),
    ],
)
def test_a_model_or_path_that_is_not_there_is_said(two: Two, path: str, feature: str, remedy: str) -> None:
    answer = two.client.post(path, json=FLAT_ROW)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["feature"], error["remedy"]) == (404, feature, remedy)
    assert answer.json()["instance"] == path


def test_the_protocol_names_all_models_where_it_has_not_the_one(two: Two) -> None:
    answer = two.client.get("/v2/models/castle")
    assert (answer.status_code, "this server has model house, flat only" in answer.json()["error"]) == (404, True)


def test_a_server_of_one_model_has_no_list(client: TestClient) -> None:
    assert client.get("/models").status_code == 404
    assert client.post("/models/house/predict", json=ROW).status_code == 404
    assert "mainline_model_memory_bytes" not in client.get("/metrics").text


def test_a_damaged_bundle_leaves_the_other_answering_and_the_server_unready(
    regression: Made, flat: Made, tmp_path: Path
) -> None:
    two = serve(pinned(regression, damaged(flat, tmp_path), cache=tmp_path / "empty"))
    ready = two.client.get("/ready")
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
    (error,) = ready.json()["errors"]
    assert (error["feature"], error["value"]) == ("flat", "failed")
    assert ready.json()["detail"].startswith("flat failed: ")
    assert "model.onnx" in ready.json()["detail"]
    assert two.client.get("/v2/health/ready").status_code == 503
    assert two.client.get("/v2/models/house/ready").status_code == 200
    assert two.client.post("/predict", json=ROW).status_code == 200
    refused = two.client.post("/models/flat/predict", json=FLAT_ROW)
    assert (refused.status_code, refused.json()["type"]) == (503, "/docs#not-ready")
    assert metric(two.client, "mainline_ready", 'model="house"') == 1
    assert metric(two.client, "mainline_ready", 'model="flat"') == 0
    told = two.client.get("/models").json()["models"]
    assert [told[name]["state"] for name in ("house", "flat")] == ["ready", "failed"]
    assert told["flat"]["reason"] == two.flat.state.failure


def test_the_main_model_may_be_the_damaged_one(regression: Made, flat: Made, tmp_path: Path) -> None:
    two = serve(pinned(damaged(regression, tmp_path), flat))
    assert two.client.get("/ready").json()["errors"][0]["value"] == "failed"
    assert two.client.post("/predict", json=ROW).status_code == 503
    assert two.client.post("/models/flat/predict", json=FLAT_ROW).status_code == 200


def test_another_models_bundle_is_refused(regression: Made, flat: Made) -> None:
    settings = pinned(
        regression, dataclasses.replace(flat, settings=dataclasses.replace(flat.settings, model="cottage"))
    )
    two = serve(settings)
    assert two.client.get("/ready").json()["errors"][0]["feature"] == "cottage"


def test_each_model_has_a_log_of_its_own_and_remembers_its_answers(
    regression: Made, flat: Made, tmp_path: Path
) -> None:
    two = serve(pinned(regression, flat), tmp_path)
    headers = {"X-Request-Id": "same"}
    two.client.post("/predict", json=ROW, headers=headers)
    two.client.post("/models/flat/predict", json=FLAT_ROW, headers=headers)
    told = two.client.post("/models/flat/feedback", json={"request_id": "same", "truth": "dear"})
    assert [each["outcome"] for each in told.json()["feedback"]] == ["known"]
    for each in (two.house, two.flat):
        assert each.capture is not None
        each.capture.close()
    for name, made, row in (("house", regression, ROW), ("flat", flat, FLAT_ROW)):
        (part,) = tmp_path.glob(f"model={name}/version=7/hash=local/hour=*/*.jsonl.gz")
        header, line = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()]
        assert (header["digest"], line["request_id"], line["features"]) == (made.digest, "same", row)


def test_draining_is_for_all(two: Two) -> None:
    two.house.state.drain()
    answer = two.client.post("/models/flat/predict", json=FLAT_ROW)
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert two.client.get("/ready").json()["errors"][0]["value"] == "draining"
    assert two.client.get("/v2/models/flat/ready").status_code == 503


@pytest.mark.slow
def test_the_process_serves_both_on_the_hot_path_and_beside_it(start: Start, regression: Made, flat: Made) -> None:
    own = flat.settings
    running = start(regression.settings, MAINLINE_BESIDE_FLAT=f"{own.version} {own.uri} {own.digest}")
    assert httpx2.post(f"{running.url}/predict", json=ROW).json()["model"] == "house"
    answer = httpx2.post(f"{running.url}/models/flat/predict", json=FLAT_ROW)
    assert (answer.json()["model"], answer.headers["mainline-digest"]) == ("flat", flat.digest)
    assert httpx2.post(f"{running.url}/models/flat/predict", json={}).status_code == 422
    running.process.send_signal(signal.SIGTERM)
    code, lines = running.end()
    events = [json.loads(line) for line in lines]
    assert (code, [event["event"] for event in events]) == (
        0,
        ["loading", "ready", "loading", "ready", "request refused", "draining", "ended"],
    )
    assert [event["model"] for event in events] == ["house", "house", "flat", "flat", "flat", "house", "house"]


@pytest.mark.slow
def test_the_process_goes_on_with_a_damaged_bundle_and_ends_with_one_for_it(
    start: Start, regression: Made, flat: Made, tmp_path: Path
) -> None:
    own = damaged(flat, tmp_path).settings
    variables = {
        "MAINLINE_BESIDE_FLAT": f"{own.version} {own.uri} {own.digest}",
        "MAINLINE_CACHE_DIR": str(tmp_path / "empty"),
    }
    running = start(regression.settings, wait=False, **variables)
    assert settled(running) == [("flat", "failed")]
    assert httpx2.post(f"{running.url}/predict", json=ROW).status_code == 200
    running.process.send_signal(signal.SIGTERM)
    code, _ = running.end()
    assert code == 1


@pytest.mark.slow
def test_the_process_ends_where_no_bundle_is_whole(start: Start, regression: Made, flat: Made, tmp_path: Path) -> None:
    house, own = damaged(regression, tmp_path / "1").settings, damaged(flat, tmp_path / "2").settings
    running = start(house, wait=False, MAINLINE_BESIDE_FLAT=f"{own.version} {own.uri} {own.digest}")
    code, lines = running.end()
    assert code == 1
    assert [json.loads(line)["event"] for line in lines].count("the bundle was refused") == 2
