"""Every body that is refused, with the rule that its problem document names."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from services.problems import Kind
from tests.services.serving.conftest import ROW, metric

JSON = {"Content-Type": "application/json"}


def _with(**changes: object) -> dict[str, object]:
    return ROW | changes


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in ROW.items() if key != name}


def _post(client: TestClient, content: str | bytes | Iterator[bytes], headers: dict[str, str] = JSON) -> dict[str, Any]:
    answer = client.post("/predict", content=content, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document: dict[str, Any] = answer.json()
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["x-request-id"]
    assert document["errors"], document
    assert all(set(error) >= {"feature", "value", "rule", "remedy"} for error in document["errors"])
    assert "Traceback" not in answer.text
    return document


TEXTS = {
    "empty": ("", Kind.MALFORMED_JSON, "one JSON value"),
    "cut short": ('{"age": 1', Kind.MALFORMED_JSON, "one JSON value"),
    "NaN": ('{"age": NaN}', Kind.MALFORMED_JSON, "no NaN"),
    "Infinity": ('{"age": -Infinity}', Kind.MALFORMED_JSON, "no Infinity"),
    "not UTF-8": (b'{"age": "\xff"}', Kind.MALFORMED_JSON, "UTF-8"),
    "twice": ('{"age": 1, "age": 2}', Kind.MALFORMED_JSON, "once"),
    "too deep": ("[" * 9_000, Kind.MALFORMED_JSON, "plain values"),
    "too many digits": ('{"age": ' + "9" * 5_000 + "}", Kind.MALFORMED_JSON, "floating point"),
    "too many bytes": ('{"age": "' + "x" * 20_000 + '"}', Kind.BODY_TOO_LARGE, "at most 20000 bytes"),
    "a list": ("[1, 2]", Kind.SHAPE, "one row as an object"),
    "null": ("null", Kind.SHAPE, "one row as an object"),
    "no instance": ('{"instances": []}', Kind.SHAPE, "at least one row"),
    "instances no list": ('{"instances": {}}', Kind.SHAPE, "list of objects"),
    "an instance no object": ('{"instances": [[1, 2]]}', Kind.SHAPE, "an object of named features"),
    "instances with company": ('{"instances": [{}], "age": 1}', Kind.SHAPE, "nothing may stand beside"),
    "features no list": ('{"features": 3}', Kind.SHAPE, "list of values"),
    "no features": ('{"features": []}', Kind.SHAPE, "at least one row"),
    "too few features": ('{"features": [1, 2]}', Kind.SHAPE, "a row has 5 values"),
    "too many rows": ('{"instances": [' + ",".join(["{}"] * 101) + "]}", Kind.TOO_MANY_ROWS, "at most 100 rows"),
    "too many positional rows": (
        '{"features": [' + ",".join(["[1]"] * 101) + "]}",
        Kind.TOO_MANY_ROWS,
        "at most 100 rows",
    ),
    "too many names": (
        "{" + ",".join(f'"n{index}": 1' for index in range(300)) + "}",
        Kind.SHAPE,
        "at most 200 unknown names",
    ),
    "1e999": ('{"age": 1e999}', Kind.ROWS_REFUSED, "must be finite"),
}


@pytest.mark.parametrize(("text", "kind", "rule"), TEXTS.values(), ids=TEXTS)
def test_body_is_refused_with_its_rule(client: TestClient, text: str | bytes, kind: Kind, rule: str) -> None:
    document = _post(client, text)
    assert document["type"] == f"/docs#{kind}"
    assert any(rule in error["rule"] for error in document["errors"]), document


ROWS = {
    "wrong type": (_with(age="41"), "age", "must be a number", "JSON number"),
    "boolean": (_with(age=True), "age", "is a boolean", "JSON number"),
    "nested": (_with(age=[1]), "age", "must be a number", "JSON number"),
    "missing": (_without("age"), "age", "missing", "send it"),
    "null": (_with(age=None), "age", "null is not allowed", "send a value"),
    "unknown name": (_without("zone") | {"zon": "south"}, "zon", "unknown feature", 'did you mean "zone"?'),
    "out of range": (_with(rooms=21), "rooms", "within [1.0, 20.0]", "check the value"),
    "fraction": (_with(rooms=2.5), "rooms", "integer", "round it"),
    "unknown category": (_with(zone="sout"), "zone", "one of north, south", 'did you mean "south"?'),
    "not a date": (_with(sold="2008-02-30"), "sold", "date as YYYY-MM-DD", "string such as"),
    "beyond float32": (_with(age=1e39), "age", "float32", "rescale"),
    "huge integer": (_with(age=10**400), "age", "float32", "rescale"),
    "lone surrogate": (_with(zone="\ud800"), "zone", "one of north, south", "send one of them"),
}


@pytest.mark.parametrize(("row", "feature", "rule", "remedy"), ROWS.values(), ids=ROWS)
def test_row_is_refused_by_feature_value_rule_and_remedy(
    client: TestClient, row: dict[str, object], feature: str, rule: str, remedy: str
) -> None:
    answer = client.post("/predict", content=json.dumps({"instances": [ROW, row]}), headers=JSON)
    document = answer.json()
    assert (answer.status_code, document["type"]) == (422, "/docs#rows-refused")
    found = [error for error in document["errors"] if error["feature"] == feature]
    assert found, document
    assert found[0]["row"] == 1
    assert rule in found[0]["rule"]
    assert remedy in found[0]["remedy"]


def test_body_is_refused_while_it_streams_without_a_length(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1_000
            yield b"x" * 1_000

    assert _post(client, endless())["type"] == "/docs#body-too-large"


TYPES = {
    "none": ({}, "Content-Type"),
    "text": ({"Content-Type": "text/plain"}, "Content-Type"),
    "charset": ({"Content-Type": "application/json; charset=latin-1"}, "Content-Type"),
    "compressed": (JSON | {"Content-Encoding": "gzip"}, "Content-Encoding"),
}


@pytest.mark.parametrize(("headers", "feature"), TYPES.values(), ids=TYPES)
def test_content_type_is_refused(client: TestClient, headers: dict[str, str], feature: str) -> None:
    document = _post(client, b"{}", headers)
    assert (document["status"], document["errors"][0]["feature"]) == (415, feature)


def test_refusals_are_counted_and_not_timed(client: TestClient) -> None:
    _post(client, "[")
    assert metric(client, "mainline_requests_total", 'outcome="refused"') == 1
    assert metric(client, "mainline_request_duration_seconds_count") == 0
