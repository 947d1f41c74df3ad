"""Rows of tensors as the capture log writes them: text that is made late, by name, in JSON's values."""

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.feature import Feature
from models.predictor import Predictor
from services.serving.capture import Capture
from services.serving.metrics import Metrics
from services.serving.named import Named, named_predictions, named_rows
from services.serving.settings import Settings
from tests.services.serving.conftest import FEATURES
from tests.services.serving.v2.conftest import NUMBERS

SETTINGS = Settings("house", "7", "s3://b/house", "sha256:" + "a" * 64, Path("/nowhere"))


def _objects(named: Named, *masked: str) -> list[Any]:
    return [json.loads(text) for text in named.texts(slice(0, len(named)), masked)]


def test_numbers_are_the_callers_decimals() -> None:
    matrix = np.array([[0.1, 3, np.nan], [1e-7, 4, 1 / 3]], dtype=np.float32)
    rows = _objects(named_rows(NUMBERS, list(matrix.T), 2))
    assert rows == [{"age": 0.1, "rooms": 3, "area": None}, {"age": 1e-7, "rooms": 4, "area": 0.33333334}]
    assert type(rows[0]["rooms"]) is int


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i8", "u1"])
def test_every_kind_of_array_becomes_json(dtype: str) -> None:
    columns = [np.array([1, 2], dtype=dtype)] * 3
    rows = _objects(named_rows(NUMBERS, columns, 2))
    assert rows == [{"age": 1, "rooms": 1, "area": 1}, {"age": 2, "rooms": 2, "area": 2}]


def test_strings_stand_as_they_came() -> None:
    values: list[Any] = [np.array([41.5]), np.array([6]), ["Mud"], [None], ["2008-02-29"]]
    (row,) = _objects(named_rows(FEATURES, values, 1))
    assert row == {"age": 41.5, "rooms": 6, "street": "Mud", "zone": None, "sold": "2008-02-29"}


def test_masked_features_are_left_out() -> None:
    rows = named_rows(NUMBERS, [np.array([1.5, 2.5])] * 3, 2)
    assert _objects(rows, "age", "area") == [{"rooms": 1.5}, {"rooms": 2.5}]
    assert _objects(rows, "age", "area", "rooms") == [{}, {}]


def _former(features: Sequence[Feature], columns: Sequence[Any], n_rows: int) -> list[dict[str, Any]]:
    """Rows as objects, value by value: what texts have to say."""

    def value(column: Any, row: int, whole: bool) -> Any:
        if isinstance(column, list):
            return column[row]
        found = column[row].item() if whole or column.dtype == np.float64 else np.float32(column[row]).item()
        if found != found:
            return None
        if whole:
            return int(found) if found == int(found) else found
        return found if column.dtype == np.float64 else float(str(np.float32(found)))

    return [
        {f.name: value(column, row, f.dtype == "integer") for f, column in zip(features, columns, strict=True)}
        for row in range(n_rows)
    ]


_ODD = [0.0, -0.0, 5e-324, 1e-45, 1.1754942e-38, 2.0**24 + 1, 2.0**53, 2.0**63, -(2.0**63), 1e20, 3.4e38, np.nan, 0.1]
_FLOATS = st.sampled_from(_ODD) | st.floats(allow_infinity=False, width=32)
_INTEGERS = st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1]) | st.integers(-(2**63), 2**63 - 1)
_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
_VALUES = st.none() | st.booleans() | _NAMES | _FLOATS.filter(lambda v: v == v) | _INTEGERS


@st.composite
def _tables(draw: st.DrawFn) -> tuple[tuple[Feature, ...], list[Any], int]:
    n_rows = draw(st.integers(1, 5))

    def array(dtype: str) -> Any:
        if dtype in ("f2", "f4", "f8"):
            with np.errstate(over="ignore"):
                made = np.array(draw(st.lists(_FLOATS, min_size=n_rows, max_size=n_rows))).astype(dtype)
            return np.where(np.isinf(made), 1, made).astype(dtype)
        if dtype == "u8":
            return np.array([2**64 - 1 - number for number in range(n_rows)], dtype=dtype)
        return np.array(draw(st.lists(_INTEGERS, min_size=n_rows, max_size=n_rows))).astype(dtype)

    features, columns = [], list[Any]()
    for name in draw(st.lists(_NAMES, max_size=5, unique=True)):
        kind = draw(st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u1", "u8", "list"]))
        integer = draw(st.booleans())
        features.append(Feature.model_construct(name=name, dtype="integer" if integer else "float"))
        columns.append(draw(st.lists(_VALUES, min_size=n_rows, max_size=n_rows)) if kind == "list" else array(kind))
    return tuple(features), columns, n_rows


@settings(max_examples=200, deadline=None)
@given(table=_tables(), data=st.data())
def test_texts_say_what_rows_of_objects_say(
    table: tuple[tuple[Feature, ...], list[Any], int], data: st.DataObject
) -> None:
    features, columns, n_rows = table
    masked = data.draw(st.sets(st.sampled_from([feature.name for feature in features]))) if features else set()
    start = data.draw(st.integers(0, n_rows))
    named = named_rows(features, columns, n_rows)
    expected = [
        {name: value for name, value in row.items() if name not in masked}
        for row in _former(features, columns, n_rows)[start:]
    ]
    texts = named.texts(slice(start, n_rows), masked)
    assert [_exact(json.loads(text)) for text in texts] == [_exact(row) for row in expected]
    assert all(b"\n" not in text for text in texts)


def _exact(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What tells 1 from 1.0 and from true, and 0.0 from -0.0; and the names' order."""
    return [(name, type(value).__name__, repr(value)) for name, value in row.items()]


@settings(max_examples=50, deadline=None)
@given(classes=st.lists(_NAMES, min_size=2, max_size=4, unique=True), rows=st.integers(1, 5), data=st.data())
def test_predictions_are_told_as_predict_answers_them(classes: list[str], rows: int, data: st.DataObject) -> None:
    share = st.floats(0, 1, width=32) | st.sampled_from([0.1, 1e-45, 0.5])
    shares = data.draw(st.lists(share, min_size=rows * len(classes), max_size=rows * len(classes)))
    predictor = _Predictor(tuple(classes))
    for outputs in (
        {"probabilities": np.array(shares, dtype=np.float32).reshape(rows, -1)},
        {name: np.array(shares[:rows], dtype=np.float32) for name in ("prediction", "lower", "upper")},
    ):
        told = _objects(named_predictions(classes, outputs))
        assert told == Predictor.answers(predictor, outputs)  # type: ignore[arg-type]


class _Predictor:
    """As much of a predictor as tells its classes."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.bundle = SimpleNamespace(manifest=SimpleNamespace(classes=classes))


def test_log_holds_what_the_tensors_held_and_counts_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.serving.capture.MAX_WAITING_BYTES", 900_000)  # two of these requests
    written: list[bytes] = []
    metrics = Metrics(model="house", version="7", digest=SETTINGS.digest)
    capture = Capture(
        SETTINGS,
        metrics,
        write=lambda uri, data: written.append(gzip.decompress(data)),
        rng=random.Random(1),  # noqa: S311
    )
    matrix = np.arange(3_000, dtype=np.float32).reshape(1_000, 3)
    rows = named_rows(NUMBERS, list(matrix.T), 1_000)
    predictions = Named(1_000, 0, lambda part, masked: [b'{"prediction":1.0}'] * (part.stop - part.start))
    assert rows.n_bytes == matrix.nbytes + 400 * 1_000
    for number in range(3):
        capture.offer_texts(f"r{number}", rows, predictions)
    capture.flush()
    _, *lines = [json.loads(line) for line in written[0].splitlines()]
    assert len(lines) == 2_000
    assert lines[999]["features"] == {"age": 2997.0, "rooms": 2998, "area": 2999.0}
    assert [line["row"] for line in lines[:1_000]] == list(range(1_000))
