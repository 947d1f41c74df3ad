"""Cells of trees: which rows share one, one row of each, and what no rows can lie in."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tree_cells import KEY, MOST_CELLS, TreeCells

_FLOATS = st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0, -1.0])
_THRESHOLDS = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5, unique=True).map(sorted)


def _sides(row: list[float], thresholds: list[tuple[int, list[float]]]) -> tuple[object, ...]:
    """What trees can know of a row."""
    return tuple(
        "NaN" if np.isnan(row[column]) else tuple(row[column] <= at for at in asked) for column, asked in thresholds
    )


@given(st.data())
def test_rows_share_a_cell_where_no_threshold_is_between_them(data: st.DataObject) -> None:
    thresholds = [(column, data.draw(_THRESHOLDS)) for column in data.draw(st.sampled_from([[0], [2], [0, 2]]))]
    near = st.sampled_from([at for _, asked in thresholds for at in asked]) | _FLOATS
    rows = data.draw(st.lists(st.lists(near, min_size=3, max_size=3), min_size=1, max_size=20))
    codes = TreeCells(thresholds).codes(np.array(rows, dtype=np.float32)).tolist()
    sides = [_sides(row, thresholds) for row in rows]
    assert [codes.index(code) for code in codes] == [sides.index(each) for each in sides]


@pytest.mark.parametrize("n_thresholds", [1, 200, 253, 254, 255, 256, 300])
def test_any_number_of_thresholds_tells_any_number_of_rows_apart(n_thresholds: int) -> None:
    cells = TreeCells([(0, [0.0]), (1, list(range(n_thresholds)))])
    place = np.resize(np.arange(n_thresholds + 2), 10_000)
    values = np.where(place == n_thresholds + 1, np.nan, place - 0.5)
    matrix = np.stack([np.ones_like(values), values], axis=1).astype(np.float32)
    assert np.array_equal(cells.codes(matrix), (n_thresholds + 2) + place)
    assert cells.n_cells == 3 * (n_thresholds + 2)


@pytest.mark.parametrize("n_rows", [1, 2, 700, 9000])
def test_there_is_one_row_of_each_cell_and_every_row_knows_it(n_rows: int) -> None:
    cells = TreeCells([(0, [-1.0, 0.0, 1.0]), (1, [0.5])])
    matrix = np.random.default_rng(n_rows).normal(size=(n_rows, 2)).astype(np.float32)
    rows, cell = cells.one_of_each(matrix)
    codes = cells.codes(matrix)
    assert sorted(codes[rows]) == sorted(set(codes.tolist()))
    assert np.array_equal(codes[rows][cell], codes)


def test_metadata_say_it_to_the_last_bit() -> None:
    thresholds = np.array([-np.inf, -3.4028235e38, -0.1, 1e-45, 0.1, 1 / 3, np.inf], dtype=np.float32).tolist()
    cells = TreeCells([(1, thresholds), (3, [-0.0])])
    read = TreeCells.read(cells.metadata(), 4)
    assert read is not None
    assert read.thresholds == cells.thresholds == ((1, tuple(thresholds)), (3, (0.0,)))
    assert TreeCells.read({"another": "x"}, 4) is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "Expecting value"),
        ("{", "Expecting"),
        ("7", "not iterable"),
        ("[[0]]", "unpack"),
        ("[[0, 1.5]]", "not iterable"),
        ('[["a", [1]]]', "invalid literal"),
        ("[[Infinity, [1]]]", "infinity"),
        ("[]", "at least one"),
        ("[[0, []]]", "at least one, float32"),
        ("[[0, [2, 1]]]", "ascending"),
        ("[[0, [1, 1]]]", "ascending"),
        ("[[0, [0.0, -0.0]]]", "ascending"),
        ("[[0, [NaN]]]", "float32"),
        ("[[0, [0.1]]]", "float32"),
        ("[[0, [1e300]]]", "float32"),
        ("[[1, [1]], [0, [1]]]", "ascending"),
        ("[[0, [1]], [0, [2]]]", "ascending"),
        ("[[-1, [1]]]", "there are 2"),
        ("[[2, [1]]]", "there are 2"),
        (json.dumps([[column, list(range(1022 + column))] for column in (0, 1)]), "1049600 cells"),
    ],
)
def test_what_no_rows_can_lie_in_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"{KEY}.*{rule}"):
        TreeCells.read({KEY: text}, 2)


def test_as_many_cells_as_fit_the_table_are_taken() -> None:
    assert TreeCells([(column, list(range(1022))) for column in (0, 1)]).n_cells == MOST_CELLS
