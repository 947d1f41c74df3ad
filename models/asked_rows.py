"""Which of many rows a graph of trees is asked, in which order, and whose answer each row gets. `predictor` asks it.

One row of each cell (`tree_cells`), sorted by what trees ask most (`row_order`).
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from models import row_order, tree_cells
from models.findings import Matrix
from models.row_order import RowOrder
from models.tree_cells import TreeCells


class AskedRows:
    """An order, and cells where one row may answer for others."""

    def __init__(self, order: RowOrder, cells: TreeCells | None) -> None:
        self.order = order
        self.cells = cells

    @classmethod
    def read(cls, metadata: Mapping[str, str], n_columns: int) -> Self | None:
        """Those of a graph's metadata; None where all rows are asked as they come.

        Raises:
            ValueError: the order or the cells are not of rows of so many columns, or there are cells without an order.
        """
        order, cells = RowOrder.read(metadata, n_columns), TreeCells.read(metadata, n_columns)
        if order is None:
            if cells is not None:
                raise ValueError(f"{tree_cells.KEY} without {row_order.KEY}")
            return None
        return cls(order, cells)

    def metadata(self) -> dict[str, str]:
        """What `read` reads."""
        return self.order.metadata() | ({} if self.cells is None else self.cells.metadata())

    def of(self, matrix: Matrix) -> tuple[Matrix, npt.NDArray[np.intp]] | None:
        """The rows to ask, (m, n_features), and for each row (n,) which of them has its answer.

        None where there are so few rows that asking them as they come is as fast.
        """
        if len(matrix) < row_order.LEAST_ROWS:
            return None
        if self.cells is None or len(matrix) < tree_cells.LEAST_ROWS:
            order = self.order.of(matrix)
            return np.take(matrix, order, axis=0), _places(order)
        rows, cell = self.cells.one_of_each(matrix)
        once = np.take(matrix, rows, axis=0)
        order = self.order.of(once)
        return np.take(once, order, axis=0), np.take(_places(order), cell)


def _places(order: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Where in the order each row is."""
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return places
