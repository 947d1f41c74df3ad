"""Rows of one cell are answered by one of them only where trees and nothing else look at rows, and to the last bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper
from sklearn.base import is_classifier
from sklearn.ensemble import (
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from models.asked_rows import AskedRows
from models.spec import ModelSpec
from models.tree_cells import TreeCells
from pipelines import graph
from pipelines.export import export
from pipelines.tree_cells import tree_cells
from pipelines.tree_questions import asked
from tests.pipelines.test_chunk import SPEC

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(300, 2)).astype(np.float32)
PRICES = np.where(ROWS[:, 1] > 0, 10 * ROWS[:, 0], -5 + ROWS[:, 0] ** 2)
KINDS = np.array(["a", "b", "c"])[np.digitize(PRICES, [-4.5, 0])]
GAPS = np.where(RNG.random(ROWS.shape) < 0.2, np.float32(np.nan), ROWS)
CLASSES = ModelSpec.model_validate(
    {
        **SPEC.model_dump(exclude_none=True, exclude={"interval"}),
        "task": "classification",
        "target": {"name": "kind", "classes": ["a", "b", "c"]},
    }
)


def _exported(estimator: Any, rows: npt.NDArray[np.float32] = ROWS) -> bytes:
    if is_classifier(estimator):
        return export(estimator.fit(rows, KINDS), CLASSES, rows, None)
    return export(estimator.fit(rows, PRICES), SPEC, rows, 1.0)


def _read(data: bytes) -> AskedRows:
    found = AskedRows.read({each.key: each.value for each in onnx.load_from_string(data).metadata_props}, 2)
    assert found is not None
    return found


def _cells(data: bytes) -> TreeCells:
    found = _read(data).cells
    assert found is not None
    return found


def _around(cells: TreeCells) -> npt.NDArray[np.float32]:
    """Rows on thresholds and beside them, both zeros, infinities and NaN, in any combination."""
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype=np.float32)
    columns = []
    for _, thresholds in cells.thresholds:
        at = np.array(thresholds, dtype=np.float32)
        beside = [np.nextafter(at, np.float32(way)) for way in (-np.inf, np.inf)]
        columns.append(RNG.choice(np.concatenate([at, *beside, np.repeat(special, len(at))]), 4000))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(
    ("estimator", "rows"),
    [
        (RandomForestRegressor(20, max_depth=5, random_state=0), ROWS),
        (RandomForestClassifier(20, max_depth=5, random_state=0), ROWS),
        (GradientBoostingRegressor(n_estimators=30), ROWS),
        (GradientBoostingClassifier(n_estimators=10), ROWS),
        (HistGradientBoostingRegressor(max_iter=20), GAPS),
        (HistGradientBoostingClassifier(max_iter=10), GAPS),
        (
            VotingRegressor([("a", RandomForestRegressor(9, max_depth=5)), ("b", GradientBoostingRegressor())]),
            ROWS,
        ),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_one_row_of_a_cell_answers_for_all_to_the_last_bit(estimator: Any, rows: npt.NDArray[np.float32]) -> None:
    data = _exported(estimator, rows)
    around = _around(_cells(data))
    for matrix in (around, GAPS[RNG.integers(0, len(GAPS), 4000)], np.repeat(around[:1], 600, axis=0)):
        found = _read(data).of(matrix)
        assert found is not None
        taken, answered = found
        assert len(taken) < len(matrix)
        expected, once = graph.run(data, matrix), graph.run(data, taken)
        for name, values in expected.items():
            assert np.array_equal(once[name][answered], values), name


def test_cells_are_between_all_thresholds_of_the_trees() -> None:
    forest = RandomForestRegressor(20, max_depth=5, random_state=0)
    cells = _cells(_exported(forest))
    for column, thresholds in cells.thresholds:
        trees = [tree.tree_ for tree in forest.estimators_]
        wanted = np.concatenate([tree.threshold[tree.feature == column] for tree in trees])
        near = wanted.astype(np.float32)
        below = np.where(near > wanted, np.nextafter(near, np.float32(-np.inf)), near)  # asks float32 rows the same
        assert thresholds == tuple(np.unique(below).tolist())


@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(),
        StackingRegressor([("a", RandomForestRegressor(9, max_depth=5)), ("b", LinearRegression())], cv=2),
        # a product of matrices: the last bit of one row alone is another one than among many
        StackingClassifier([("a", RandomForestClassifier(9, max_depth=5))], cv=2),
        AdaBoostRegressor(n_estimators=9),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_where_more_than_trees_answers_every_row_is_asked(estimator: Any) -> None:
    assert tree_cells(onnx.load_from_string(_exported(estimator))) is None


def _also_read(model: Any) -> None:
    model.graph.node.append(helper.make_node("Identity", ["rows"], ["seen"]))


def _asked_below(model: Any) -> None:
    [modes] = [each for each in model.graph.node[0].attribute if each.name == "nodes_modes"]
    modes.strings[0] = b"BRANCH_LT"


def _of_another_kind(model: Any) -> None:
    model.graph.node[0].op_type = "TreeEnsemble"


def _multiplied(model: Any) -> None:
    model.graph.node.append(helper.make_node("MatMul", ["prediction", "prediction"], ["square"]))


@pytest.mark.parametrize("change", [_also_read, _asked_below, _of_another_kind, _multiplied])
def test_one_node_that_knows_more_than_the_cell_is_enough(change: Callable[[Any], None]) -> None:
    model = onnx.load_from_string(_exported(RandomForestRegressor(20, max_depth=5, random_state=0)))
    assert tree_cells(model) is not None
    change(model)
    assert tree_cells(model) is None


def test_few_questions_are_asked_of_every_row() -> None:
    """Of depth 3, 5 trees ask 15 questions of a row, 6 trees 18; 8 a column are needed."""
    few, many = (
        onnx.load_from_string(_exported(RandomForestRegressor(n_trees, max_depth=3, random_state=0)))
        for n_trees in (5, 6)
    )
    assert sum(asked(few).values()) < 16 <= sum(asked(many).values())
    assert tree_cells(few) is None
    assert tree_cells(many) is not None
    assert tree_cells(onnx.load_from_string(_exported(DecisionTreeRegressor()))) is None


def test_rows_of_more_cells_than_rows_share_are_all_asked() -> None:
    rows = RNG.normal(size=(4000, 2)).astype(np.float32)
    forest = RandomForestRegressor(3, bootstrap=False, max_features=1, random_state=0).fit(rows, RNG.normal(size=4000))
    model = onnx.load_from_string(export(forest, SPEC, rows, 1.0))
    columns = [column for column, _ in asked(model)]
    assert (columns.count(0) + 2) * (columns.count(1) + 2) > 2**20
    assert tree_cells(model) is None
    assert [each.key for each in model.metadata_props] == ["mainline.row_order"]
