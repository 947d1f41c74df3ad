"""What a provider answered is read as Argo Rollouts reads it."""

from typing import Any

import pytest

from pipelines.rehearsal.answers import from_prometheus, from_web, path_parts
from pipelines.rehearsal.contract import Measured
from pipelines.rehearsal.errors import Unsupported


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


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("{$}", {"a": {"b": [1.0, 2.0]}}),
        ("{$.a.b[0]}", 1.0),
        ("{.a.b[-1]}", 2.0),
        ("{$['a']['b'][1]}", 2.0),
        (" {$.a.b} ", [1.0, 2.0]),
    ],
)
def test_paths(path: str, value: Any) -> None:
    assert from_web(200, b'{"a": {"b": [1, 2]}}', path).value == value


@pytest.mark.parametrize("path", ["{$.b}", "{$.a.b[5]}", "{$.a[0]}", "{$.a.b.c}"])
def test_a_path_that_is_not_there_is_an_error(path: str) -> None:
    assert "Could not find JSONPath" in from_web(200, b'{"a": {"b": [1]}}', path).error


@pytest.mark.parametrize("path", ["$.a", "{$..a}", "{$.a[*]}", "{$.a[?(@.b)]}", "{range .items}", "{.a}{.b}"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(Unsupported, match="is not covered"):
        path_parts(path)


def test_null_is_nothing_and_no_error() -> None:
    assert from_web(200, b'{"verdict": null}', "{$.verdict}") == Measured(value=None)


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"verdict": NaN}'])
def test_what_is_no_json_is_unread(body: bytes) -> None:
    assert from_web(200, body, "{$.verdict}").unread


@pytest.mark.parametrize("status", [199, 301, 404, 500])
def test_another_status_is_an_error(status: int) -> None:
    assert str(status) in from_web(status, b"{}", "{$}").error
