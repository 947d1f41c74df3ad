"""Rows that a graph of trees is asked: sorted, one of each cell, and every row finds its answer."""

import numpy as np
import pytest

from models import row_order, tree_cells
from models.asked_rows import AskedRows
from models.row_order import RowOrder
from models.tree_cells import TreeCells

ORDER = RowOrder([(1, 0.0), (0, 0.5)])
CELLS = TreeCells([(0, [-1.0, 0.5]), (1, [0.0])])
RNG = np.random.default_rng(3)


@pytest.mark.parametrize("n_rows", [row_order.LEAST_ROWS, tree_cells.LEAST_ROWS - 1, tree_cells.LEAST_ROWS, 5000])
@pytest.mark.parametrize("cells", [None, CELLS], ids=["order", "cells"])
def test_every_row_finds_one_of_its_own_cell(cells: TreeCells | None, n_rows: int) -> None:
    rows = RNG.normal(size=(n_rows, 2)).astype(np.float32)
    asked = AskedRows(ORDER, cells).of(rows)
    assert asked is not None
    taken, answered = asked
    if cells is None or n_rows < tree_cells.LEAST_ROWS:
        assert np.array_equal(taken[answered], rows)
    else:
        assert len(taken) == 6, "one of each cell"
    assert np.array_equal(CELLS.codes(taken[answered]), CELLS.codes(rows))
    assert np.array_equal(ORDER.of(taken), np.arange(len(taken))), "as the order says"


def test_few_rows_are_asked_as_they_come() -> None:
    assert AskedRows(ORDER, CELLS).of(np.zeros((row_order.LEAST_ROWS - 1, 2), dtype=np.float32)) is None


@pytest.mark.parametrize("cells", [None, CELLS], ids=["order", "cells"])
def test_metadata_say_it(cells: TreeCells | None) -> None:
    read = AskedRows.read(AskedRows(ORDER, cells).metadata(), 2)
    assert read is not None
    assert read.order.questions == ORDER.questions
    assert (read.cells and read.cells.thresholds) == (cells and cells.thresholds)


def test_without_metadata_all_rows_are_asked_as_they_come() -> None:
    assert AskedRows.read({}, 2) is None


def test_cells_without_an_order_are_refused() -> None:
    with pytest.raises(ValueError, match=f"{tree_cells.KEY} without {row_order.KEY}"):
        AskedRows.read(CELLS.metadata(), 2)
