"""Rows to the graph's matrix and back: every rule, and that all three ways of encoding agree."""

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cells import decode_date, encode_date
from models.feature import Feature
from models.rows import Coded, RowsRefused, decode, encode, encode_columns, sift_columns
from models.spec import ModelSpec

FEATURES = (
    Feature(name="area", dtype="float", unit="m2", min=-1e6, max=0.1, missing="allow"),
    Feature(name="rooms", dtype="integer", missing="allow"),
    Feature(name="street", dtype="category", categories=("Grvl", "Pave", "ß"), missing="allow"),
    Feature(name="sold", dtype="date", encoding="days", missing="allow"),
    Feature(name="built", dtype="date", encoding="year_fraction", missing="allow"),
)

_days = st.dates(min_value=dt.date(1000, 1, 1)).map(dt.date.isoformat)
# In the year fraction's float32, a day is told from the next up to the year 4000 or so; float32 has 24 bits.
_fraction_days = st.dates(min_value=dt.date(1000, 1, 1), max_value=dt.date(4000, 1, 1)).map(dt.date.isoformat)
ROWS = st.fixed_dictionaries(
    {
        "area": st.none() | st.floats(-1e6, 0.1),
        "rooms": st.none() | st.integers(-(2**24), 2**24),
        "street": st.none() | st.sampled_from(["Grvl", "Pave", "ß"]),
        "sold": st.none() | _days,
        "built": st.none() | _fraction_days,
    }
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=4))
def test_decoded_rows_encode_to_the_same_matrix_without_warnings(rows: list[dict[str, Any]]) -> None:
    matrix = encode(rows, FEATURES).matrix
    decoded = decode(matrix, FEATURES)
    again = encode(decoded, FEATURES)
    np.testing.assert_array_equal(again.matrix, matrix)
    assert again.warnings == []
    for row, back in zip(rows, decoded, strict=True):
        exact = ("rooms", "street", "sold", "built")
        assert {name: back[name] for name in exact} == {name: row[name] for name in exact}
        assert (back["area"] is None) == (row["area"] is None)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | _days | st.just([1])


def _outcome(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    try:
        encoded = encode(rows, FEATURES)
    except RowsRefused as refused:
        return ("refused", refused.n_problems, [(p.row, p.feature, p.rule) for p in refused.problems])
    return ("encoded", encoded.matrix.tobytes(), encoded.n_warnings, [(p.row, p.rule) for p in encoded.warnings])


@settings(max_examples=60, deadline=None)
@given(row=st.fixed_dictionaries({feature.name: ANYTHING for feature in FEATURES}))
def test_many_rows_are_judged_as_one_row_is(row: dict[str, Any]) -> None:
    good = {feature.name: None for feature in FEATURES}
    alone, among = _outcome([row]), _outcome([good] * 70 + [row])
    assert alone[0] == among[0]
    if alone[0] == "encoded":
        assert among[1].endswith(alone[1])
        assert alone[2] == among[2]
    else:
        assert sorted((name, rule) for _, name, rule in alone[2]) == sorted((name, rule) for _, name, rule in among[2])
        assert {index for index, _, _ in among[2]} == {70}


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=5))
def test_a_table_encodes_as_its_rows_do(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows)
    np.testing.assert_array_equal(
        encode_columns({str(name): values for name, values in frame.items()}, FEATURES).matrix,
        encode(rows, FEATURES).matrix,
    )


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({feature.name: ANYTHING for feature in FEATURES}), min_size=1, max_size=4))
def test_sifted_rows_are_those_that_would_be_refused_alone(rows: list[dict[str, Any]]) -> None:
    sifted = sift_columns({feature.name: [row[feature.name] for row in rows] for feature in FEATURES}, FEATURES)
    refused = {problem.row for problem in sifted.refused}
    for index, row in enumerate(rows):
        # a table's NaN is a missing value, a row's is a wrong one
        alone = _outcome([{name: None if value != value else value for name, value in row.items()}])
        assert (alone[0] == "refused") == (index in refused)
        if alone[0] == "encoded":
            assert sifted.matrix[index].tobytes() == alone[1]


@settings(max_examples=60, deadline=None)
@given(values=st.lists(ANYTHING, min_size=1, max_size=6), column=st.sampled_from([f.name for f in FEATURES]))
def test_a_column_by_its_distinct_values_is_judged_as_one_by_its_rows(values: list[Any], column: str) -> None:
    right: dict[str, Any] = {feature.name: [None] * len(values) for feature in FEATURES}
    coded = Coded(np.arange(len(values))[::-1], values[::-1])
    by_rows, by_values = (sift_columns({**right, column: given}, FEATURES) for given in (values, coded))
    np.testing.assert_array_equal(by_rows.matrix, by_values.matrix)
    assert [(p.row, p.rule) for p in by_rows.refused] == [(p.row, p.rule) for p in by_values.refused]
    assert by_rows.n_warnings == by_values.n_warnings


REFUSED: list[tuple[str, str, Any, str]] = [
    ("nan", "area", math.nan, "must be finite"),
    ("infinity", "area", math.inf, "must be finite"),
    ("boolean", "area", True, "must be a number, is a boolean"),
    ("string", "area", "3", "must be a number, is a string"),
    ("list", "area", [1], "must be a number, is no number"),
    ("beyond-float32", "area", 1e39, "must be within ±3.403e+38, the range of float32"),
    ("beyond-float64", "area", 10**400, "must be within ±3.403e+38, the range of float32"),
    ("null", "rooms", None, "null is not allowed"),
    ("fraction", "rooms", 2.5, "must be an integer, has a fraction"),
    ("boolean-integer", "rooms", False, "must be an integer, is a boolean"),
    ("inexact", "rooms", 2**24 + 1, "an integer must be within ±16,777,216, where float32 is exact"),
    ("range", "rooms", 21, "must be within [1.0, 20.0]"),
    ("category-number", "street", 1, "must be a string, one of the categories"),
    ("category-list", "street", ["Pave"], "must be a string, one of the categories"),
    ("date-text", "sold", "yesterday", "must be a date as YYYY-MM-DD"),
    ("date-compact", "sold", "20080229", "must be a date as YYYY-MM-DD"),
    ("date-impossible", "sold", "2007-02-29", "must be a date as YYYY-MM-DD"),
    ("date-time", "sold", "2008-02-29T00:00:00", "must be a date as YYYY-MM-DD"),
    ("date-number", "sold", 2008, "must be a date as YYYY-MM-DD"),
    ("date-null", "sold", None, "null is not allowed"),
]


@pytest.mark.parametrize("n_rows", [1, 100])
@pytest.mark.parametrize(("name", "value", "rule"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_value_against_the_spec_is_refused(
    spec: ModelSpec, row: dict[str, Any], n_rows: int, name: str, value: Any, rule: str
) -> None:
    rows = [row] * (n_rows - 1) + [{**row, name: value}]
    with pytest.raises(RowsRefused) as caught:
        encode(rows, spec.features)
    (problem,) = caught.value.problems
    assert (problem.row, problem.feature, problem.rule) == (n_rows - 1, name, rule)
    assert problem.remedy


@pytest.mark.parametrize("n_rows", [1, 100])
def test_odd_values_are_warned_of(spec: ModelSpec, row: dict[str, Any], n_rows: int) -> None:
    rows = [{**row, "area": 1001, "street": "Pavee", "sold": "2011-01-01"}] * n_rows
    encoded = encode(rows, spec.features)
    assert encoded.n_warnings == 3 * n_rows
    assert len(encoded.warnings) == min(100, 3 * n_rows)
    rules = [(p.feature, p.rule, p.remedy) for p in encoded.warnings if p.row == 0]
    assert rules == [
        ("area", "must be within [0.0, 1000.0] m2", "check the value and its unit"),
        ("street", "must be one of Grvl, Pave", 'taken as missing; did you mean "Pave"?'),
        ("sold", "must be within [2006-01-01, 2010-12-31]", "check the value and its unit"),
    ]
    np.testing.assert_array_equal(encoded.matrix[-1], np.array([1001, 4, 2, 14975], dtype=np.float32))


def test_unknown_category_is_refused_where_the_spec_says_so() -> None:
    feature = Feature(name="street", dtype="category", categories=("Grvl", "Pave"))
    with pytest.raises(RowsRefused, match=r'must be one of Grvl, Pave, did you mean "Pave"\?'):
        encode([{"street": "Pav"}], (feature,))


def test_missing_token_is_missing(spec: ModelSpec, row: dict[str, Any]) -> None:
    encoded = encode([{**row, "street": "(missing)"}, {**row, "street": None}], spec.features)
    assert encoded.matrix[:, 2].tolist() == [2.0, 2.0]
    assert encoded.warnings == []


def test_missing_token_is_refused_where_missing_is() -> None:
    feature = Feature(name="street", dtype="category", categories=("Grvl", "Pave"))
    with pytest.raises(RowsRefused, match="null is not allowed"):
        encode([{"street": "(missing)"}], (feature,))


@pytest.mark.parametrize("n_rows", [1, 100])
def test_misspelt_feature_is_refused_with_what_was_meant(spec: ModelSpec, row: dict[str, Any], n_rows: int) -> None:
    row["aera"] = row.pop("area")
    with pytest.raises(RowsRefused) as caught:
        encode([row] * n_rows, spec.features)
    found = [(p.feature, p.rule, p.remedy) for p in caught.value.problems if p.row == 0]
    assert found == [
        ("aera", "unknown feature", 'did you mean "area"?'),
        ("area", "the feature is missing", "send null if it has no value"),
    ]
    assert caught.value.n_problems == 2 * n_rows
    assert len(caught.value.problems) == min(100, 2 * n_rows)


def test_row_that_is_no_object_is_refused(spec: ModelSpec) -> None:
    with pytest.raises(RowsRefused, match="must be an object of named features"):
        encode([[1, 2, 3, 4]], spec.features)  # type: ignore[list-item]


def test_no_rows_are_an_empty_matrix(spec: ModelSpec) -> None:
    assert encode([], spec.features).matrix.shape == (0, 4)


def test_table_columns_of_every_kind_are_understood(spec: ModelSpec) -> None:
    frame = pd.DataFrame(
        {
            "area": pd.array([1.5, None], dtype="Float64"),
            "rooms": np.array([3, 4], dtype=np.int8),
            "street": pd.Categorical(["Pave", None]),
            "sold": pd.to_datetime(["2008-02-29", "2009-01-01"]).astype("datetime64[ns]"),
            "price": [1, 2],
        }
    )
    matrix = encode_columns({str(name): values for name, values in frame.items()}, spec.features).matrix
    np.testing.assert_array_equal(matrix, np.array([[1.5, 3, 1, 13938], [np.nan, 4, 2, 14245]], dtype=np.float32))


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        ("area", np.array([True, False]), "must be a number, is a boolean"),
        ("area", np.array([1.0, np.inf]), "must be finite"),
        ("area", np.array(["1", "2"]), "must be a number, is a string"),
        ("rooms", np.array([1.0, np.nan]), "null is not allowed"),
        ("rooms", np.array([1.0, 1.5]), "must be an integer, has a fraction"),
        ("sold", np.array(["2008-01-01T10:00", "2008-01-01"], dtype="datetime64[m]"), "must be a date as YYYY-MM-DD"),
        ("sold", np.array(["NaT", "2008-01-01"], dtype="datetime64[D]"), "null is not allowed"),
    ],
    ids=["boolean", "infinity", "string", "missing", "fraction", "time", "no-time"],
)
def test_table_column_against_the_spec_is_refused(spec: ModelSpec, column: str, values: Any, rule: str) -> None:
    table = {"area": [1.0, 2.0], "rooms": [1, 2], "street": ["Pave", "Grvl"], "sold": ["2008-01-01", "2008-01-02"]}
    with pytest.raises(RowsRefused) as caught:
        encode_columns({**table, column: values}, spec.features)
    assert {(p.feature, p.rule) for p in caught.value.problems} == {(column, rule)}


def test_missing_column_is_refused_with_what_was_meant(spec: ModelSpec, row: dict[str, Any]) -> None:
    columns = {name: [value] for name, value in row.items()}
    columns["Area"] = columns.pop("area")
    with pytest.raises(RowsRefused) as caught:
        encode_columns(columns, spec.features)
    (problem,) = caught.value.problems
    assert (problem.row, problem.rule, problem.remedy) == (None, "the column is missing", 'did you mean "Area"?')


def test_columns_of_unequal_length_are_refused(spec: ModelSpec, row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"columns have lengths \[1, 2\], must all be the same"):
        encode_columns({**{name: [value] for name, value in row.items()}, "area": [1.0, 2.0]}, spec.features)


def test_every_day_of_a_leap_year_and_the_next_survives_the_year_fraction() -> None:
    for ordinal in range(dt.date(2008, 1, 1).toordinal(), dt.date(2010, 1, 1).toordinal()):
        text = dt.date.fromordinal(ordinal).isoformat()
        number = encode_date(text, "year_fraction")
        assert number is not None
        assert decode_date(float(np.float32(number)), "year_fraction") == text


def test_bound_that_float32_cannot_hold_does_not_refuse_itself() -> None:
    features = (Feature(name="x", dtype="float", min=0.1, max=0.123456789, out_of_range="refuse"),)
    matrix = encode([{"x": 0.1}, {"x": 0.123456789}], features).matrix
    assert encode(decode(matrix, features), features).warnings == []
