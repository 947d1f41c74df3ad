"""What gates.yaml may say, the judge takes: else a gate would be an error of every rollout, known only then."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from models.online_gates import Inputs, Predictions, Quality, Replay
from services.drift.requests import InputsRequest, PredictionsRequest, QualityRequest, ReplayRequest

PAIRS: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (Inputs, InputsRequest), (Predictions, PredictionsRequest), (Replay, ReplayRequest), (Quality, QualityRequest),
]  # fmt: skip
VALUES: list[Any] = [
    -1, 0, 1, 30, 5000, 5001, 10**9, -0.5, 0.0, 1e-9, 0.1, 0.11, 0.2, 0.49, 0.999, 1.0, 1.001, 100.0, 100.1, 1e9,
    float("inf"), float("nan"), "1s", "30m", "168h", "167h59m59s", "169h", "168h1s", "400h", "0s", "1d",
]  # fmt: skip
FIELDS = [
    (gate, request, name) for gate, request in PAIRS for name in gate.model_fields if name in request.model_fields
]


def _taken(model: type[BaseModel], name: str, value: Any) -> bool:
    field = model.model_fields[name]
    try:
        TypeAdapter(field.rebuild_annotation()).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("gate", "request_", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_what_the_gate_may_say_the_judge_takes(gate: type[BaseModel], request_: type[BaseModel], name: str) -> None:
    allowed = [value for value in VALUES if _taken(gate, name, value)]
    assert allowed
    assert [value for value in allowed if not _taken(request_, name, value)] == []


@pytest.mark.parametrize(
    ("gate", "name", "value"),
    [
        (Inputs, "alpha", 0.2),
        (Predictions, "alpha", 0.2),
        (Inputs, "max_distance", 1000.0),
        (Predictions, "window", "400h"),
        (Quality, "min_feedback", 5001),
        (Replay, "rows", 5001),
    ],
)
def test_gate_that_the_judge_would_refuse_is_refused_before(gate: type[BaseModel], name: str, value: Any) -> None:
    assert not _taken(gate, name, value)
