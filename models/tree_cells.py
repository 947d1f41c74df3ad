"""Which rows no tree of a graph tells apart, so that one of them answers for all. `asked_rows` uses it.

Trees ask nothing but whether a column is above a threshold. Rows between the same thresholds in every column, in the
same cell, get the same answer to the last bit. For a forest of 100 trees, 4,096 iris of one decimal lie in 1,281 cells:
with one of each asked, they take 1.8 ms instead of 4.7 (ONNX Runtime 1.31, one core). Where no two rows share a cell,
finding that out costs 5 %. The thresholds are found when the graph is exported (`pipelines.tree_cells`), only where its
answers follow from the cell alone, and lie in the graph's own metadata.
"""

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Self

import numpy as np
import numpy.typing as npt

from models.findings import Matrix

KEY = "mainline.tree_cells"
# A table of all cells then takes 4 MiB, and the rows of one request seldom share one of more.
MOST_CELLS = 2**20
# Where no two rows share a cell, a tenth is lost, of 256 as of 512. Of iris, 512 gain a quarter, 256 but an eighth.
LEAST_ROWS = 512

# So many thresholds at most are counted one by one, which a processor does for many rows at once: 25 of them take 2 ns
# a row, a search by halves 22, most of it on wrong guesses. The place of NaN, one more than all, still fits 8 bits.
_COUNTED = 254
# Rows whose counts stay in the processor's cache: 1 MB where there are most.
_BLOCK = 4096


class TreeCells:
    """Rows by the thresholds of each asked column that they are above."""

    def __init__(self, thresholds: Sequence[tuple[int, Sequence[float]]]) -> None:
        """`thresholds` are pairs of a column and its thresholds, float32, both in ascending order.

        Raises:
            ValueError: they are not, or there are none, or more than 2**20 cells.
        """
        columns = [column for column, _ in thresholds]
        if not columns or sorted(set(columns)) != columns:
            raise ValueError(f"columns {columns}; must be at least one, ascending")
        self.thresholds = tuple((column, tuple(asked)) for column, asked in thresholds)
        self.n_cells = prod(_n_places(asked) for _, asked in thresholds)
        if self.n_cells > MOST_CELLS:
            raise ValueError(f"{self.n_cells} cells; must be at most {MOST_CELLS}")
        self._columns = np.array(columns, dtype=np.intp)
        self._thresholds = [_ascending(asked) for _, asked in thresholds]

    @classmethod
    def read(cls, metadata: Mapping[str, str], n_columns: int) -> Self | None:
        """Those of a graph's metadata; None where it has none.

        Raises:
            ValueError: it has some that rows of so many columns cannot lie in.
        """
        if KEY not in metadata:
            return None
        try:
            found = cls([(int(column), [float(at) for at in asked]) for column, asked in json.loads(metadata[KEY])])
        except (TypeError, ValueError, OverflowError) as err:
            raise ValueError(f"{KEY} is {metadata[KEY]:.80}: {err}") from err
        first, last = found.thresholds[0][0], found.thresholds[-1][0]
        if first < 0 or last >= n_columns:
            raise ValueError(f"{KEY} asks columns {first} to {last}, there are {n_columns}")
        return found

    def metadata(self) -> dict[str, str]:
        """What `read` reads."""
        return {KEY: json.dumps(self.thresholds)}

    def codes(self, matrix: Matrix) -> npt.NDArray[np.intp]:
        """The number of each row's cell, (n,), in [0, n_cells): equal for rows that no tree tells apart.

        Args:
            matrix: (n, n_features) float32. NaN is neither above nor below a threshold: a tree sends it where it says.
        """
        codes = np.zeros(len(matrix), dtype=np.intp)
        for start in range(0, len(matrix), _BLOCK):
            part = codes[start : start + _BLOCK]
            columns = np.take(matrix[start : start + _BLOCK].T, self._columns, axis=0)  # each in one piece
            for values, thresholds in zip(columns, self._thresholds, strict=True):
                part *= _n_places(thresholds)
                part += _places(values, thresholds)
        return codes

    def one_of_each(self, matrix: Matrix) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]:
        """One row of each cell that has rows, as an index of `matrix`, and for each row (n,) which of these is its."""
        codes = self.codes(matrix)
        numbers = np.arange(len(matrix), dtype=np.int32)
        table = np.empty(self.n_cells, dtype=np.int32)
        table[codes] = numbers
        rows = np.flatnonzero(table[codes] == numbers)  # those that no other row of their cell has overwritten
        table[codes[rows]] = numbers[: len(rows)]
        return rows, table[codes]


def _n_places(thresholds: Sequence[float] | npt.NDArray[np.float32]) -> int:
    """Below the first, between two, above the last; and NaN."""
    return len(thresholds) + 2


def _ascending(thresholds: Sequence[float]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        found = np.array(thresholds, dtype=np.float64).astype(np.float32)
    if not len(found) or not np.array_equal(found, thresholds) or not np.all(found[1:] > found[:-1]):
        raise ValueError(f"thresholds {list(thresholds)!s:.80}; must be at least one, float32, ascending")
    return found


def _places(values: npt.NDArray[np.float32], thresholds: npt.NDArray[np.float32]) -> npt.NDArray[np.integer]:
    """How many thresholds each value (n,) is above; one more than all for NaN."""
    places: npt.NDArray[np.integer]
    if len(thresholds) <= _COUNTED:
        above = values > thresholds[:, np.newaxis]
        places = np.add.reduce(above.view(np.uint8), axis=0, dtype=np.uint8)
    else:
        places = np.searchsorted(thresholds, values)
    missing = np.isnan(values)
    return np.where(missing, len(thresholds) + 1, places) if missing.any() else places
