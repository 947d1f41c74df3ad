"""What an inference is answered: outputs, ids, parameters, bytes; and that it counts as any other prediction."""

import dataclasses
import gzip
import json
import math
import random
import threading
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from services.replayed import PREFIX
from services.serving.app import create
from services.serving.capture import Capture
from services.serving.state import State
from services.serving.v2.work import Work
from tests.services.serving.conftest import ROW, Made, loaded_state, metric
from tests.services.serving.v2.conftest import NUMBER_ROW
from tests.services.serving.v2.speaking import DATATYPES, HEADER, INFER, Document, binary, columns, read, tensor

SUM = 41.5 + 6 + 1 + 1 + 13938
NUMBER_SUM = 41.5 + 6 + 80.25
ROWS = [[41.5, 6, 80.25], [1, 2, 10]]
FLAT = [41.5, 6, 80.25, 1, 2, 10]


def test_answer_names_model_version_and_the_callers_id(client: TestClient, regression: Made) -> None:
    answer = client.post(INFER, json={"id": "42", "inputs": columns()})
    document = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert (document["model_name"], document["model_version"], document["id"]) == ("house", "7", "42")
    assert "parameters" not in document
    assert [(o["name"], o["shape"], o["datatype"]) for o in document["outputs"]] == [
        (name, [1], "FP32") for name in ("prediction", "lower", "upper")
    ]
    assert [o["data"] for o in document["outputs"]] == [[SUM], [SUM - 2.5], [SUM + 2.5]]
    assert answer.headers["mainline-digest"] == regression.digest


def test_request_without_an_id_is_answered_under_the_requests_own(client: TestClient) -> None:
    answer = client.post(INFER, json={"inputs": columns()}, headers={"X-Request-Id": "mine-1"})
    assert (answer.headers["x-request-id"], answer.json()["id"]) == ("mine-1", "mine-1")


def test_version_may_stand_in_the_path(client: TestClient) -> None:
    assert client.post("/v2/models/house/versions/7/infer", json={"inputs": columns()}).status_code == 200


def test_classification_answers_labels_and_a_row_of_probabilities_for_each(classes_client: TestClient) -> None:
    answer = classes_client.post(INFER, json={"inputs": columns([ROW] * 3)})
    labels, probabilities = answer.json()["outputs"]
    assert (labels["name"], labels["datatype"], labels["shape"], labels["data"]) == (
        "prediction", "BYTES", [3], ["dear"] * 3,
    )  # fmt: skip
    assert (probabilities["name"], probabilities["datatype"], probabilities["shape"]) == (
        "probabilities", "FP32", [3, 2],
    )  # fmt: skip
    np.testing.assert_allclose(np.reshape(probabilities["data"], (3, 2)).sum(axis=1), 1, atol=1e-6)


WANTED: dict[str, tuple[Document, set[str], set[str]]] = {
    "all, as nothing is said": ({}, {"prediction", "probabilities"}, set()),
    "all, as the list is empty": ({"outputs": []}, {"prediction", "probabilities"}, set()),
    "one": ({"outputs": [{"name": "probabilities"}]}, {"probabilities"}, set()),
    "all as bytes": (
        {"parameters": {"binary_data_output": True}},
        {"prediction", "probabilities"},
        {"prediction", "probabilities"},
    ),
    "one as bytes, one not": (
        {"outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "prediction"}]},
        {"prediction", "probabilities"},
        {"probabilities"},
    ),
    "all as bytes but one": (
        {
            "parameters": {"binary_data_output": True},
            "outputs": [{"name": "prediction", "parameters": {"binary_data": False}}, {"name": "probabilities"}],
        },
        {"prediction", "probabilities"},
        {"probabilities"},
    ),
}


@pytest.mark.parametrize(("asked", "names", "as_bytes"), WANTED.values(), ids=WANTED)
def test_outputs_are_those_asked_for_as_asked_for(
    classes_client: TestClient, asked: Document, names: set[str], as_bytes: set[str]
) -> None:
    answer = classes_client.post(INFER, json={"inputs": columns([ROW] * 2), **asked})
    length = int(answer.headers.get(HEADER, len(answer.content)))
    outputs = json.loads(answer.content[:length])["outputs"]
    assert {output["name"] for output in outputs} == names
    if asked.get("outputs"):
        assert [output["name"] for output in outputs] == [output["name"] for output in asked["outputs"]]
    assert {output["name"] for output in outputs if "binary_data_size" in output.get("parameters", {})} == as_bytes
    assert all(("data" in output) == (output["name"] not in as_bytes) for output in outputs)
    assert (HEADER in answer.headers) == bool(as_bytes)
    assert answer.headers["content-type"] == ("application/octet-stream" if as_bytes else "application/json")
    found = read(answer)
    if "prediction" in names:
        assert found["prediction"] == ["dear", "dear"]
    np.testing.assert_allclose(np.sum(found["probabilities"], axis=1), 1, atol=1e-6)


FORMS: dict[str, Document] = {
    "flat": tensor("rows", "FP32", FLAT, [2, 3]),
    "nested": tensor("rows", "FP32", ROWS, [2, 3]),
    "doubles": tensor("rows", "FP64", FLAT, [2, 3]),
    "under another server's name": tensor("input-0", "FP32", FLAT, [2, 3]),
    "with parameters of a codec": tensor("rows", "FP32", FLAT, [2, 3], parameters={"content_type": "np"}),
}


@pytest.mark.parametrize("given", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("as_bytes", [False, True], ids=["JSON", "binary"])
def test_one_tensor_holds_the_rows_of_a_model_of_numbers(
    number_client: TestClient, given: Document, as_bytes: bool
) -> None:
    if as_bytes:
        body, headers = binary([given | {"data": FLAT}])
        answer = number_client.post(INFER, content=body, headers=headers)
    else:
        answer = number_client.post(INFER, json={"inputs": [given]})
    assert answer.status_code == 200, answer.text
    assert read(answer)["prediction"] == [NUMBER_SUM, 13]


WHOLE = ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64")


@pytest.mark.parametrize("datatype", WHOLE)
@pytest.mark.parametrize("as_bytes", [False, True], ids=["JSON", "binary"])
def test_every_datatype_of_numbers_is_understood(number_client: TestClient, datatype: str, as_bytes: bool) -> None:
    for inputs in (
        [tensor("rows", datatype, [41, 6, 80], [1, 3])],
        [tensor("age", datatype, [41], [1, 1]), tensor("rooms", datatype, [6]), tensor("area", datatype, [80])],
    ):
        body, headers = binary(inputs) if as_bytes else (json.dumps({"inputs": inputs}).encode(), {})
        answer = number_client.post(INFER, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert read(answer)["prediction"] == [127]


@pytest.mark.parametrize("as_bytes", [False, True], ids=["JSON", "binary"])
def test_bool_is_a_count_of_nought_or_one_and_no_measurement(number_client: TestClient, as_bytes: bool) -> None:
    row = {"age": ("FP32", 40.0), "rooms": ("BOOL", True), "area": ("FP32", 80.0)}
    for name, status in (("rooms", 200), ("age", 400)):
        given = row | ({} if name == "rooms" else {"age": ("BOOL", True)})
        inputs = [tensor(key, datatype, [value]) for key, (datatype, value) in given.items()]
        body, headers = binary(inputs) if as_bytes else (json.dumps({"inputs": inputs}).encode(), {})
        answer = number_client.post(INFER, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert (read(answer)["prediction"] == [121.0]) if status == 200 else ("is a boolean" in answer.json()["error"])


MISSING: dict[str, tuple[Any, bool]] = {
    "null": (None, False),
    "the token": ("(missing)", False),
    "nothing": ("", False),
    "nothing, as bytes": ("", True),
    "the token, as bytes": ("(missing)", True),
}


@pytest.mark.parametrize(("value", "as_bytes"), MISSING.values(), ids=MISSING)
def test_category_may_be_missing(client: TestClient, value: Any, as_bytes: bool) -> None:
    inputs = columns([ROW | {"street": value}])
    body, headers = binary(inputs) if as_bytes else (json.dumps({"inputs": inputs}).encode(), {})
    answer = client.post(INFER, content=body, headers=headers)
    assert read(answer)["prediction"] == [SUM + 1]  # the index after the last category
    assert read(answer) == read(client.post(INFER, json={"inputs": columns([ROW | {"street": None}])}))


def test_tolerated_values_are_answered_with_the_first_warning_and_their_number(client: TestClient) -> None:
    answer = client.post(INFER, json={"inputs": columns([ROW, ROW | {"age": 130, "street": "Mud"}])})
    assert answer.status_code == 200
    parameters = answer.json()["parameters"]
    assert parameters["warnings"] == 2
    assert parameters["warning"].startswith("row 1: age: got 130.0, must be within [0.0, 120.0] years")


def test_inference_is_counted_timed_and_captured_by_name(state: State) -> None:
    written: list[bytes] = []
    rng = random.Random(1)  # noqa: S311
    capture = Capture(state.settings, state.metrics, write=lambda uri, data: written.append(data), rng=rng)
    client = TestClient(create(state, capture=capture))
    inputs = columns([ROW, ROW | {"street": None, "age": 0.1}])
    body, headers = binary(inputs)
    for request_id in ("r1", f"{PREFIX}1"):
        answer = client.post(INFER, content=body, headers=headers | {"X-Request-Id": request_id})
        assert (answer.status_code, answer.headers["x-request-id"]) == (200, request_id)
    assert client.post(INFER, json={}).status_code == 400
    predicted = client.post("/predict", json={"instances": [ROW, ROW | {"street": None, "age": 0.1}]}).json()
    capture.flush()
    (_, *lines) = [json.loads(line) for line in gzip.decompress(written[0]).splitlines()]
    assert [line["request_id"] for line in lines] == ["r1"] * 2 + [predicted["request_id"]] * 2
    for name in ("row", "features", "prediction"):
        by_infer, by_predict = [[line[name] for line in found] for found in (lines[:2], lines[2:])]
        assert by_infer == by_predict
    assert [line["prediction"] for line in lines[:2]] == predicted["predictions"]
    assert metric(client, "mainline_requests_total", 'outcome="answered"') == 2
    assert metric(client, "mainline_requests_total", 'outcome="refused"') == 1
    assert metric(client, "mainline_request_duration_seconds_count") == 2
    assert metric(client, "mainline_predicted_rows_total") == 4
    assert (metric(client, "mainline_requests_in_flight"), state.in_flight) == (0, 0)


@pytest.mark.parametrize(("value", "status"), [(41.5, 500), (130, 400)])
def test_no_finite_answer_is_the_models_failure_unless_a_value_was_out_of_range(
    numbers: Made, value: float, status: int
) -> None:
    state = loaded_state(numbers)
    assert state.served is not None
    state.served.predictor.predict = lambda matrix: {"prediction": np.full(len(matrix), np.inf)}  # type: ignore[method-assign]
    client = TestClient(create(state), raise_server_exceptions=False)
    inputs = [tensor(name, "FP64", [cell]) for name, cell in (NUMBER_ROW | {"age": value}).items()]
    answer = client.post(INFER, json={"inputs": inputs})
    assert answer.status_code == status
    assert "an answer is finite" in answer.json()["error"]


def test_unforeseen_failure_is_told_in_the_protocols_form(state: State) -> None:
    assert state.served is not None

    def fail(matrix: object) -> dict[str, Any]:
        raise RuntimeError("secret 41.5")

    state.served.predictor.predict = fail  # type: ignore[method-assign]
    answer = TestClient(create(state), raise_server_exceptions=False).post(INFER, json={"inputs": columns()})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json")
    assert set(answer.json()) == {"error"}
    assert "secret" not in answer.text


@pytest.mark.parametrize(("row_seconds", "inline"), [(1e-7, True), (1e-3, False), (math.inf, False)])
def test_hundred_rows_are_answered_where_they_come_by_a_quick_graph_alone(
    state: State, row_seconds: float, inline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state.served is not None
    state.served = dataclasses.replace(state.served, row_seconds=row_seconds)
    threads: list[int] = []
    whole = Work.compute

    def compute(work: Work, *arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return whole(work, *arguments)

    monkeypatch.setattr(Work, "compute", compute)
    rows = [ROW | {"age": float(age)} for age in range(100)]
    with TestClient(create(state)) as client:
        assert client.portal is not None
        loop = client.portal.call(threading.get_ident)
        for body, headers in (binary(columns(rows)), (json.dumps({"inputs": columns(rows)}).encode(), {})):
            answer = client.post(INFER, content=body, headers=headers)
            assert read(answer)["prediction"] == pytest.approx([SUM - 41.5 + age for age in range(100)], abs=0.01)
    assert [thread == loop for thread in threads] == [inline, inline]
    assert state.rows.left == state.settings.queue_rows


def test_datatypes_of_the_speaker_are_those_of_the_features() -> None:
    assert list(DATATYPES) == list(ROW)
