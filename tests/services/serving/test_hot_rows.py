"""What the hot path reads is what the framework's path reads: the same float32, without a problem or a warning."""

import datetime as dt
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.feature import Feature
from models.findings import Matrix
from models.rows import RowsRefused, encode
from services.body import parse
from services.problems import Problem
from services.serving import many_rows
from services.serving.hot_rows import RowReader
from services.serving.rows import rows_of
from tests.services.serving.conftest import FEATURES, ROW

NUMBERS = (
    Feature(name="a", dtype="float", min=-1.0, max=1.5),
    Feature(name="b", dtype="float"),
    Feature(name="c", dtype="integer", min=0.0, max=9.0),
    Feature(name="d\u00e9", dtype="float", missing="allow", min=0.1),
)
ONE = (Feature(name="instances", dtype="float"),)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = FLOAT | st.floats(-2, 2) | st.integers(-3, 12) | st.integers() | st.floats(width=32, allow_nan=False)
SPOILT: list[Any] = [[], {}, math.nan, math.inf]
ODD: st.SearchStrategy[Any] = st.none() | st.booleans() | st.text(max_size=3) | st.sampled_from(SPOILT)
DAY = st.dates().map(str) | st.just("2008-02-30") | st.just("20080229")
CATEGORY = st.sampled_from(["Pave", "Grvl", "north", "south", "(missing)", "East", "\u00e9", '"', "\\", "\ud800"])


def slowly(body: bytes, features: tuple[Feature, ...], max_rows: int = 100) -> Matrix | None:
    """What the framework's path makes of it; None for a problem or a warning."""
    try:
        found = encode(rows_of(parse(body), [feature.name for feature in features], max_rows=max_rows), features)
    except (Problem, RowsRefused):
        return None
    return None if found.warnings else found.matrix


def right(feature: Feature) -> st.SearchStrategy[Any]:
    """Values that the feature takes."""
    if feature.dtype == "category":
        return st.sampled_from([*feature.categories, *([None] if feature.missing == "allow" else [])])
    if feature.dtype == "date":
        return st.dates(dt.date(2006, 1, 1), dt.date(2010, 12, 31)).map(str)
    low, high = (float(end) if isinstance(end, float) else None for end in (feature.min, feature.max))
    integers = st.integers(math.ceil(low or 0), math.floor(high or 9))
    return integers if feature.dtype == "integer" else integers | st.floats(low or -1e6, high or 1e6)


@st.composite
def rows(draw: st.DrawFn, features: tuple[Feature, ...]) -> dict[str, Any]:
    """A row that is right, or all but one thing of it."""
    row: dict[str, Any] = {feature.name: draw(right(feature)) for feature in features}
    change = draw(st.sampled_from(["none", "none", "value", "value", "leave out", "add"]))
    if change == "value":
        row[draw(st.sampled_from(sorted(row)))] = draw(NUMBER | ODD | DAY | CATEGORY)
    elif change == "leave out":
        row.pop(draw(st.sampled_from(sorted(row))))
    elif change == "add":
        row[draw(st.sampled_from(["x", "instances", "features", ""]))] = draw(NUMBER)
    return row


@st.composite
def bodies(draw: st.DrawFn, features: tuple[Feature, ...]) -> bytes:
    """A row's JSON, written in one of many ways, sometimes spoilt."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")]))
    ascii_only = draw(st.booleans())
    text = json.dumps(draw(rows(features)), separators=separators, ensure_ascii=ascii_only)
    body = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 7)) == 7 and len(body) > 2:
        name = json.dumps(features[0].name).encode()
        body = body[:-1] + b"," + name + b":" + json.dumps(draw(NUMBER)).encode() + b"}"
    if draw(st.integers(0, 14)) == 14:
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + draw(st.binary(max_size=2)) + body[at + 1 :]
    return body


@pytest.mark.parametrize("features", [FEATURES, NUMBERS, ONE], ids=["mixed", "numbers", "one"])
def test_what_is_read_is_what_the_framework_reads(features: tuple[Feature, ...]) -> None:
    read = RowReader(features).read
    n_read = 0

    @settings(max_examples=100, deadline=None)
    @given(bodies(features))
    @example(b'{"a":1e400,"b":0,"c":0,"d\xc3\xa9":1}')
    @example(b'{"a":-0,"b":-0.0,"c":0,"d\xc3\xa9":1}')
    @example(b'{"instances":340282346638528859811704183484516925441}')
    def check(body: bytes) -> None:
        nonlocal n_read
        found = read(body)
        if found is not None:
            n_read += 1
            expected = slowly(body, features)
            assert expected is not None, body
            assert found[0] == expected.tobytes(), body

    check()
    assert n_read > 0, "the test reads rows"


RIGHT: dict[str, Any] = {"age": 41.5, "rooms": 6, "street": None, "zone": "south", "sold": "2008-02-29"}


@pytest.mark.parametrize("change", [{}, {"rooms": 6.0}, {"age": 0}, {"street": "Grvl"}, {"street": "(missing)"}])
def test_plain_row_is_read(change: dict[str, Any]) -> None:
    body = json.dumps(RIGHT | change).encode()
    found = RowReader(FEATURES).read(body)
    assert found is not None
    assert found[0] == encode([RIGHT | change], FEATURES).matrix.tobytes()
    assert found[1] == RIGHT | change


ODD_BODIES = {
    "twice": b'{"a":1,"b":2,"c":3,"d\xc3\xa9":4,"a":1}',
    "escaped": b'{"a":1,"b":2,"c":3,"d\\u00e9":4}',
    "out of range": b'{"a":9,"b":2,"c":3,"d\xc3\xa9":4}',
    "a fraction": b'{"a":1,"b":2,"c":3.5,"d\xc3\xa9":4}',
    "a boolean": b'{"a":true,"b":2,"c":3,"d\xc3\xa9":4}',
    "a string": b'{"a":"1","b":2,"c":3,"d\xc3\xa9":4}',
    "null": b'{"a":null,"b":2,"c":3,"d\xc3\xa9":4}',
    "a huge integer": b'{"a":1,"b":9007199254740993,"c":3,"d\xc3\xa9":4}',
    "one too few": b'{"a":1,"b":2,"c":3}',
    "one too many": b'{"a":1,"b":2,"c":3,"d\xc3\xa9":4,"e":5}',
    "another": b'{"a":1,"b":2,"c":3,"d":4}',
    "nested": b'{"a":{"b":1},"b":2,"c":3,"d\xc3\xa9":4}',
    "a list": b"[1,2,3,4]",
    "cut short": b'{"a":1,"b":2',
    "nothing": b"",
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES)
def test_odd_row_is_left_to_the_framework(body: bytes) -> None:
    assert RowReader(NUMBERS).read(body) is None


def test_patterns_of_types_are_not_kept_without_end() -> None:
    features = tuple(Feature(name=f"f{index}", dtype="float", missing="allow") for index in range(12))
    reader = RowReader(features)
    for number in range(2_000):
        row = {feature.name: None if number >> index & 1 else 1.5 for index, feature in enumerate(features)}
        assert reader.read(json.dumps(row).encode()) is not None
    assert len(reader._patterns) <= 256


@st.composite
def many(draw: st.DrawFn) -> bytes:
    """A list of rows, right or nearly so."""
    found = draw(st.lists(rows(FEATURES) | st.just(ROW), min_size=1, max_size=4))
    text = json.dumps({"instances": found}, indent=draw(st.sampled_from([None, 1])))
    if draw(st.integers(0, 7)) == 7:
        text = text.replace('"age"', '"age": 3, "age"', 1)
    return text.encode()


@settings(max_examples=50, deadline=None)
@given(many())
def test_many_rows_are_those_that_the_framework_reads(body: bytes) -> None:
    names = [feature.name for feature in FEATURES]
    found = many_rows.read(body, names, max_rows=3)
    if found is not None:
        assert found == rows_of(parse(body), names, max_rows=3) or b"e+" in body or len(body) > 400
        assert len(found) <= many_rows.most(body)


@pytest.mark.parametrize("n_rows", [1, 2, 50])
@pytest.mark.parametrize("shape", ["instances", "features"])
def test_bound_of_rows_is_found_without_reading(n_rows: int, shape: str) -> None:
    row: object = ROW if shape == "instances" else list(ROW.values())
    assert many_rows.most(json.dumps({shape: [row] * n_rows}).encode()) == n_rows


def test_float32_of_the_reader_is_numpys() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=500) * 10.0 ** rng.integers(-40, 30, 500)
    reader = RowReader((Feature(name="x", dtype="float"), Feature(name="y", dtype="float")))
    for value in values.tolist():
        if abs(value) < 2**53:
            found = reader.read(json.dumps({"x": value, "y": 0.0}).encode())
            assert found is not None
            assert found[0] == np.array([value, 0.0], dtype=np.float32).tobytes()
