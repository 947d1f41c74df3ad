"""Rows and predictions as the capture log has them, by name; made when the log's writer comes to them, as text.

A request of thousands of rows costs the answering thread nothing here: the arrays are kept, and become text in the
writer's thread, a few rows at a time, so that it can let others have the interpreter between them. Columns become text
as arrays do, without a Python object for each number: a third of the time of rows that are objects first.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from models.feature import Feature
from models.predictor import Outputs, most_probable
from services.serving.part import dumps

Column = npt.NDArray[Any] | list[Any]

# A Python string or number of a list, with its place in it.
_LIST_CELL_BYTES = 80
# A row becomes packed text in some 7 us of 30 numbers. Counted as its line, of the memory that the log allows 125,000
# wait at most: 0.9 s to write, where the end of the process leaves 5.
_LINE_BYTES = 400
# Beyond it a float is no 64-bit integer.
_INTEGERS = 2.0**63


class Named:
    """Objects of JSON.

    Attributes:
        n_bytes: about what is kept for them, and what their lines will take.
    """

    def __init__(self, n_rows: int, n_bytes: int, texts: Callable[[slice, Collection[str]], list[bytes]]) -> None:
        self._n_rows = n_rows
        self._texts = texts
        self.n_bytes = n_bytes

    def __len__(self) -> int:
        return self._n_rows

    def texts(self, part: slice, masked: Collection[str]) -> list[bytes]:
        """Those of a part, without the values of the features `masked`."""
        return self._texts(part, masked)


def named_rows(features: Sequence[Feature], columns: Sequence[Column], n_rows: int) -> Named:
    """Rows of `columns`, one for each feature: (n_rows,) numbers with NaN for missing, or values as JSON has them."""

    def texts(part: slice, masked: Collection[str]) -> list[bytes]:
        kept = [
            (feature, column[part])
            for feature, column in zip(features, columns, strict=True)
            if feature.name not in masked
        ]
        cells = [_cells(column, whole=feature.dtype == "integer") for feature, column in kept]
        return _objects([feature.name for feature, _ in kept], cells, len(range(*part.indices(n_rows))))

    cell = sum(column.itemsize if isinstance(column, np.ndarray) else _LIST_CELL_BYTES for column in columns)
    return Named(n_rows, (cell + _LINE_BYTES) * n_rows, texts)


def named_predictions(classes: Sequence[str], outputs: Outputs) -> Named:
    """Predictions as /predict answers them (`Predictor.answers`)."""
    n_rows = len(next(iter(outputs.values())))
    told = [dumps(name) for name in classes]

    def texts(part: slice, masked: Collection[str]) -> list[bytes]:
        n_texts = len(range(*part.indices(n_rows)))
        # A Python number of a float32 has the decimals of its float64.
        found = {name: values[part].astype(np.float64) for name, values in outputs.items()}
        if "probabilities" not in found:
            return _objects(list(found), [_cells(values) for values in found.values()], n_texts)
        probabilities = found["probabilities"]
        labels = [told[index] for index in most_probable(probabilities).tolist()]
        each = _objects(classes, [_cells(column) for column in probabilities.T], n_texts)
        return _objects(["prediction", "probabilities"], [labels, each], n_texts)

    return Named(n_rows, sum(found.nbytes for found in outputs.values()), texts)


def _objects(names: Sequence[str], cells: Sequence[list[bytes]], n_rows: int) -> list[bytes]:
    """One object a row, of columns of text."""
    if not names:
        return [b"{}"] * n_rows
    form = b"{" + b",".join(dumps(name).replace(b"%", b"%%") + b":%b" for name in names) + b"}"
    return [form % row for row in zip(*cells, strict=True)]


def _cells(values: Column, *, whole: bool = False) -> list[bytes]:
    """Values as JSON has them: null for NaN, `whole` numbers without a fraction, float32 by its shortest decimal."""
    if isinstance(values, list):
        return [dumps(value) for value in values]
    if whole:
        return _integers(values)
    return _split(np.ascontiguousarray(values, dtype=np.float64 if values.dtype == np.float64 else np.float32))


def _integers(values: npt.NDArray[Any]) -> list[bytes]:
    if values.dtype.kind in "iu":
        return _split(np.ascontiguousarray(values))
    missing = np.isnan(values)
    known = np.where(missing, 0, values).astype(np.float64)
    if not ((known == np.trunc(known)) & (np.abs(known) < _INTEGERS)).all():
        return [dumps(_integer(value)) for value in values.tolist()]
    cells = _split(known.astype(np.int64))
    for index in np.flatnonzero(missing).tolist():
        cells[index] = b"null"
    return cells


def _integer(value: float) -> float | None:
    return None if value != value else int(value) if value == int(value) else value


def _split(numbers: npt.NDArray[Any]) -> list[bytes]:
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",") if len(numbers) else []
