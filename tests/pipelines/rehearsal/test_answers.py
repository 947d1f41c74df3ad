"""What a provider answered is read as Argo Rollouts reads it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.rehearsal.answers import from_prometheus, from_web, path_parts
from pipelines.rehearsal.contract import Measured
from pipelines.rehearsal.errors import Unsupported

ROWS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("answers.yaml").read_text())


def _vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {}, "value": [1.0, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def test_a_vector_is_its_values_and_may_be_empty() -> None:
    assert from_prometheus(_vector("0.5", "+Inf")).value == (0.5, float("inf"))
    assert from_prometheus(_vector()).value == ()


def test_a_scalar_is_a_number() -> None:
    document = {"status": "success", "data": {"resultType": "scalar", "result": [1.0, "0.5"]}}
    assert from_prometheus(document).value == 0.5


@pytest.mark.parametrize(
    "document",
    [
        {"status": "error", "error": "parse error"},
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
        [],
    ],
)
def test_anything_else_of_prometheus_is_an_error(document: Any) -> None:
    assert from_prometheus(document).error


def test_the_judges_answer_brings_its_reason_and_report() -> None:
    body = b'{"verdict": "fail", "reason": "petal_width moved", "report": "/reports/iris-2", "n": 1}'
    assert from_web(200, body, "{$.verdict}") == Measured(
        value="fail", detail="petal_width moved", link="/reports/iris-2"
    )


def test_numbers_of_json_are_floats() -> None:
    value = from_web(200, b'{"a": [1, 2]}', "{$.a}").value
    assert isinstance(value, list)
    assert all(type(each) is float for each in value)


@pytest.mark.parametrize("row", ROWS, ids=[f"{each['path']} of {each['body']}" for each in ROWS])
def test_an_answer_is_read_as_by_argo_rollouts(row: dict[str, Any]) -> None:
    found = from_web(row.get("status", 200), row["body"].encode(), row["path"])
    assert found.unread is row.get("unread", False)
    assert row.get("error", "") in found.error
    assert bool(found.error) is ("error" in row)
    if "value" in row:
        assert found.value == row["value"]


@pytest.mark.parametrize(
    "path", ["$.a", "{$..a}", "{$.a[*]}", "{$.a[?(@.b)]}", "{range .items}", "{.a}{.b}", " {$.a}", "{$.a} "]
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(Unsupported, match="is not covered"):
        path_parts(path)
