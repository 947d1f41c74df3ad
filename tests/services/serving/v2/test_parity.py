"""The same rows get the same answer by /predict, by JSON tensors and by binary ones; and the same refusal."""

import datetime as dt
import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from services.serving import answer, many_numbers
from services.serving.app import create
from services.serving.capture import Capture
from services.serving.feedback import Feedback
from tests.services.serving.conftest import Made, loaded_state, make_bundle
from tests.services.serving.v2.conftest import NUMBER_ROW, NUMBERS
from tests.services.serving.v2.speaking import DATATYPES, INFER, binary, columns, read, tensor

# In and out of the ranges, missing and unknown; floats that float32 holds, so that bytes of FP32 say the same.
ROWS = st.fixed_dictionaries(
    {
        "age": st.floats(-10, 140, width=32) | st.none(),
        "rooms": st.integers(0, 21) | st.none(),
        "street": st.sampled_from(["Grvl", "Pave", "Mud", "(missing)", "Straße", None]),
        "zone": st.sampled_from(["north", "south", "west", None]),
        "sold": st.dates(dt.date(2005, 6, 1), dt.date(2011, 6, 1)).map(dt.date.isoformat) | st.sampled_from(["", None]),
    }
)
GOOD = st.fixed_dictionaries(
    {
        "age": st.floats(0, 140, width=32),
        "rooms": st.integers(1, 20),
        "street": st.sampled_from(["Grvl", "Pave", "Mud", None]),
        "zone": st.sampled_from(["north", "south"]),
        "sold": st.dates(dt.date(2005, 6, 1), dt.date(2011, 6, 1)).map(dt.date.isoformat),
    }
)


LABELS = {"model": "house", "model_version": "7"}


@pytest.fixture(params=["small", "large"])
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are read as small ones are, and as large ones."""
    if request.param == "large":
        monkeypatch.setattr(answer, "INLINE_BYTES", 0)
        monkeypatch.setattr(many_numbers, "LEAST_BYTES", 0)


def _asked(client: TestClient, rows: list[dict[str, Any]], datatypes: dict[str, str]) -> list[Any]:
    """Answers by the three ways, JSON tensors once as [n] and once as [n, 1]."""
    flat = columns(rows, datatypes)
    tall = [
        tensor(entry["name"], entry["datatype"], [[value] for value in entry["data"]], [len(rows), 1]) for entry in flat
    ]
    body, headers = binary(flat, parameters={"binary_data_output": True})
    return [
        client.post("/predict", json={"instances": rows}),
        client.post(INFER, json={"inputs": flat}),
        client.post(INFER, json={"inputs": tall}),
        client.post(INFER, content=body, headers=headers),
    ]


@pytest.mark.usefixtures("_size")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(GOOD, min_size=1, max_size=5), wide=st.booleans())
@pytest.mark.parametrize("kind", ["client", "classes_client"])
def test_every_way_gives_the_same_prediction(
    request: pytest.FixtureRequest, kind: str, rows: list[dict[str, Any]], wide: bool
) -> None:
    client: TestClient = request.getfixturevalue(kind)
    datatypes = DATATYPES | ({} if wide else {"age": "FP32", "rooms": "UINT8"})
    predicted, *inferred = _asked(client, rows, datatypes)
    expected = predicted.json()["predictions"]
    for answered in inferred:
        assert answered.status_code == 200, answered.text
        found = read(answered)
        assert found["prediction"] == [row["prediction"] for row in expected]
        if kind == "client":
            assert [found["lower"], found["upper"]] == [[row[end] for row in expected] for end in ("lower", "upper")]
        else:
            assert found["probabilities"] == [[*row["probabilities"].values()] for row in expected]


@pytest.mark.usefixtures("_size")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROWS, min_size=1, max_size=4))
def test_what_one_way_refuses_every_way_refuses(client: TestClient, rows: list[dict[str, Any]]) -> None:
    # A string of no length is null to the protocol, as bytes cannot say it otherwise.
    plain = [{name: value or None if isinstance(value, str) else value for name, value in row.items()} for row in rows]
    predicted = client.post("/predict", json={"instances": plain})
    floats = DATATYPES | {"rooms": "FP32"}  # where a missing number is NaN
    for answered in _asked(client, rows, floats)[1:]:
        if predicted.status_code == 200:
            assert answered.status_code == 200, answered.text
            assert read(answered)["prediction"] == [row["prediction"] for row in predicted.json()["predictions"]]
        else:
            assert (predicted.status_code, answered.status_code) == (422, 400)
            assert answered.json()["error"].split(" [")[0].startswith(predicted.json()["detail"].split(" values")[0])


@pytest.mark.usefixtures("_size")
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.tuples(st.floats(0, 140, width=32), st.integers(1, 20), st.floats(1, 1100, width=32)),
        min_size=1,
        max_size=40,
    )
)
def test_one_tensor_of_numbers_gives_what_its_columns_give(
    number_client: TestClient, rows: list[tuple[float, int, float]]
) -> None:
    names = ("age", "rooms", "area")
    flat = [value for row in rows for value in row]
    whole = tensor("rows", "FP32", flat, [len(rows), 3])
    nested = tensor("rows", "FP32", rows, [len(rows), 3])
    by_column = [tensor(name, "FP32", column) for name, column in zip(names, zip(*rows, strict=True), strict=True)]
    body, headers = binary([whole], parameters={"binary_data_output": True})
    instances = [dict(zip(names, row, strict=True)) for row in rows]
    predicted = number_client.post("/predict", json={"instances": instances}).json()
    expected = [row["prediction"] for row in predicted["predictions"]]
    positional = number_client.post("/predict", json={"features": rows})
    assert positional.status_code == 200, positional.text
    assert positional.json()["predictions"] == predicted["predictions"]
    assert positional.json()["warnings"] == predicted["warnings"]
    for answered in (
        number_client.post(INFER, json={"inputs": [whole]}),
        number_client.post(INFER, json={"inputs": [nested]}),
        number_client.post(INFER, json={"inputs": by_column}),
        number_client.post(INFER, content=body, headers=headers),
    ):
        assert read(answered)["prediction"] == expected
        document = json.loads(answered.content[: int(answered.headers.get("Inference-Header-Content-Length", 10**9))])
        assert document.get("parameters", {}).get("warnings", 0) == len(predicted["warnings"])


def test_the_floats_of_an_answer_are_the_graphs(number_client: TestClient) -> None:
    body = {"inputs": [tensor("rows", "FP32", [0.1, 3, 7.7], [1, 3])]}
    as_json = read(number_client.post(INFER, json=body))
    as_bytes = read(number_client.post(INFER, json=body | {"parameters": {"binary_data_output": True}}))
    assert as_json == as_bytes == {name: [np.float32(value)] for name, value in (
        ("prediction", np.float32(0.1) + 3 + np.float32(7.7)),
        ("lower", np.float32(0.1) + 3 + np.float32(7.7) - 2.5),
        ("upper", np.float32(0.1) + 3 + np.float32(7.7) + 2.5),
    )}  # fmt: skip


@pytest.mark.usefixtures("_size")
def test_every_way_is_logged_and_remembered_alike(numbers: Made) -> None:
    state = loaded_state(numbers)
    assert state.served is not None
    parts: list[bytes] = []

    def write(uri: str, data: bytes) -> None:
        parts.append(data)

    capture = Capture(state.settings, state.metrics, write=write, rng=random.Random(0))  # noqa: S311
    feedback = Feedback(state.settings, state.metrics, write=write)
    feedback.start(state.served.bundle.manifest)
    client = TestClient(create(state, capture=capture, feedback=feedback))
    rows = [[0.5 + row, 1 + row % 20, 10.25 * (1 + row)] for row in range(50)]
    whole = tensor("rows", "FP32", [value for row in rows for value in row], [len(rows), 3])
    body, headers = binary([whole])
    names = ("age", "rooms", "area")
    instances = [dict(zip(names, row, strict=True)) for row in rows]
    ways: dict[str, Any] = {
        "named": lambda told: client.post("/predict", json={"instances": instances}, headers=told),
        "positional": lambda told: client.post("/predict", json={"features": rows}, headers=told),
        "tensor": lambda told: client.post(INFER, json={"inputs": [whole]}, headers=told),
        "binary": lambda told: client.post(INFER, content=body, headers={**headers, **told}),
    }
    for name, ask in ways.items():
        assert ask({"X-Request-Id": name}).status_code == 200
    capture.flush()
    lines = [json.loads(line) for part in parts for line in gzip.decompress(part).splitlines() if b"request_id" in line]
    logged = {
        name: [(each["row"], each["features"], each["prediction"]) for each in lines if each["request_id"] == name]
        for name in ways
    }
    assert logged["named"] == [(row, instances[row], logged["named"][row][2]) for row in range(len(rows))]
    assert all(found == logged["named"] for found in logged.values())
    for name in ways:
        truth = {"request_id": name, "row": 49, "truth": logged[name][49][2]["prediction"]}
        assert client.post("/feedback", json=truth).json()["feedback"][0]["outcome"] == "known"
    assert state.metrics.registry.get_sample_value("mainline_live_absolute_error", LABELS) == pytest.approx(0)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_many_positional_rows_are_answered_to_the_byte_as_the_same_by_name(tmp_path: Path, task: str) -> None:
    made = make_bundle(tmp_path, task=task, features=NUMBERS, row=NUMBER_ROW, max_rows=1000, max_body_bytes=200_000)
    client = TestClient(create(loaded_state(made)))
    rows = [[0.5 + row / 9, 1 + row % 20, 10.25 + row] for row in range(900)]
    instances = [dict(zip(("age", "rooms", "area"), row, strict=True)) for row in rows]
    headers = {"X-Request-Id": "mine"}
    positional = client.post("/predict", json={"features": rows}, headers=headers)
    assert many_numbers.simdjson is None or many_numbers.rows(positional.request.read(), 3) is not None
    assert positional.content == client.post("/predict", json={"instances": instances}, headers=headers).content
    assert (len(positional.json()["predictions"]), positional.json()["warnings"]) == (900, [])
