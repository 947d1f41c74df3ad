"""Rows and predictions as the capture log has them, by name; each is made when the log's writer comes to it.

A request of thousands of rows costs the answering thread nothing here: the arrays are kept, and become objects in the
writer's thread, a few rows at a time, so that it can let others have the interpreter between them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import orjson

from models.feature import Feature
from models.predictor import Outputs, Predictor

Row = Mapping[str, object]

# Some 0.3 ms of work with 30 features.
_CHUNK_ROWS = 128
# A Python string or number of a list, with its place in it.
_LIST_CELL_BYTES = 80
# A row becomes text in some 20 us of 30 numbers. Counted as its line, of the memory that the log allows 125,000 wait at
# most: 2.5 s to write, where the end of the process leaves 5.
_LINE_BYTES = 400


class Named(Sequence[Row]):
    """Rows by name, made when they are looked at, some at a time; the latest are kept.

    Attributes:
        n_bytes: about what is kept for them, and what their lines will take.
    """

    def __init__(self, n_rows: int, n_bytes: int, chunk: Callable[[slice], list[Row]]) -> None:
        self._n_rows = n_rows
        self._chunk = chunk
        self._made: tuple[int, list[Row]] = (0, [])  # what was looked at last, and where it begins
        self.n_bytes = n_bytes

    def __len__(self) -> int:
        return self._n_rows

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, self._n_rows, _CHUNK_ROWS):
            yield from self._chunk(slice(start, min(start + _CHUNK_ROWS, self._n_rows)))

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(self._n_rows))]
        row = range(self._n_rows)[index]  # IndexError beyond the end, as of any sequence
        start, made = self._made
        if not start <= row < start + len(made):
            start = row - row % _CHUNK_ROWS
            made = self._chunk(slice(start, min(start + _CHUNK_ROWS, self._n_rows)))
            self._made = (start, made)
        return made[row - start]


def named_rows(features: Sequence[Feature], columns: Sequence[npt.NDArray[Any] | list[Any]], n_rows: int) -> Named:
    """Rows of `columns`, one for each feature: (n_rows,) numbers with NaN for missing, or values as JSON has them."""
    names = [feature.name for feature in features]
    integers = [feature.dtype == "integer" for feature in features]

    def chunk(part: slice) -> list[Row]:
        cells = [_plain(column[part], whole) for column, whole in zip(columns, integers, strict=True)]
        return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]

    kept = sum(c.nbytes if isinstance(c, np.ndarray) else _LIST_CELL_BYTES * n_rows for c in columns)
    return Named(n_rows, kept + _LINE_BYTES * n_rows, chunk)


def named_predictions(predictor: Predictor, outputs: Outputs) -> Named:
    """Predictions as /predict answers them."""
    n_rows = len(next(iter(outputs.values())))

    def chunk(part: slice) -> list[Row]:
        return [*predictor.answers({name: found[part] for name, found in outputs.items()})]

    return Named(n_rows, sum(found.nbytes for found in outputs.values()), chunk)


def _plain(values: npt.NDArray[Any] | list[Any], whole: bool) -> list[Any]:
    """Values as JSON has them: null for NaN, whole numbers without a fraction, float32 by its shortest decimal."""
    if isinstance(values, list):
        return values
    if whole:
        return [None if value != value else int(value) if value == int(value) else value for value in values.tolist()]
    kind = np.float64 if values.dtype == np.float64 else np.float32
    text = orjson.dumps(np.ascontiguousarray(values, dtype=kind), option=orjson.OPT_SERIALIZE_NUMPY)
    found: list[Any] = orjson.loads(text)
    return found
