"""What trees ask most is read from their graph, and sorting by it changes no answer."""

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from models.row_order import RowOrder
from models.spec import ModelSpec
from pipelines import graph
from pipelines.export import export
from pipelines.tree_questions import row_order
from tests.pipelines.test_chunk import SPEC

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(600, 2)).astype(np.float32)
PRICES = np.where(ROWS[:, 1] > 0, 10 * ROWS[:, 0], -5 + ROWS[:, 0] ** 2)


def _model(estimator: Any, spec: ModelSpec = SPEC) -> Any:
    return onnx.load_from_string(export(estimator.fit(ROWS, PRICES), spec, ROWS, 1.0))


def _asked(model: Any) -> RowOrder:
    order = row_order(model)
    assert order is not None
    return order


def test_a_root_is_asked_before_its_children() -> None:
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    questions = _asked(_model(tree)).questions
    inner = [node for node in range(tree.tree_.node_count) if tree.tree_.children_left[node] >= 0]
    columns, thresholds = tree.tree_.feature[inner], tree.tree_.threshold[inner].astype(np.float32)
    asked = list(zip(columns.tolist(), thresholds.tolist(), strict=True))
    assert questions[0] == asked[0]
    assert sorted(questions[1:]) == sorted(asked[1:])


def test_what_more_trees_ask_comes_first() -> None:
    def stump(column: int) -> Any:
        held = ROWS * np.eye(2, dtype=np.float32)[column]  # the other column is 0: nothing to ask of it
        return DecisionTreeRegressor(max_depth=1).fit(held, held[:, column])

    forest = RandomForestRegressor(3, max_depth=1, bootstrap=False, random_state=0).fit(ROWS, PRICES)
    forest.estimators_ = [stump(0), stump(1), stump(1)]
    model = onnx.load_from_string(export(forest, SPEC, ROWS, 1.0))
    assert [column for column, _ in _asked(model).questions] == [1, 0]


@pytest.mark.parametrize("estimator", [RandomForestRegressor(20, random_state=0), HistGradientBoostingRegressor()])
def test_the_graph_carries_it_and_answers_sorted_rows_alike(estimator: Any) -> None:
    data = export(estimator.fit(ROWS, PRICES), SPEC, ROWS, 1.0)
    model = onnx.load_from_string(data)
    order = RowOrder.read({each.key: each.value for each in model.metadata_props}, 2)
    assert order is not None
    assert order.questions == _asked(model).questions
    taken = order.of(ROWS)
    assert not np.array_equal(taken, np.arange(len(ROWS)))
    plain, by_order = graph.run(data, ROWS), graph.run(data, ROWS[taken])
    for name, values in plain.items():
        assert np.array_equal(by_order[name], values[taken]), name


@pytest.mark.parametrize(
    "estimator", [LinearRegression(), make_pipeline(StandardScaler(), RandomForestRegressor(3, random_state=0))]
)
def test_nothing_is_sorted_where_no_tree_looks_at_the_rows_themselves(estimator: Any) -> None:
    model = _model(estimator)
    assert row_order(model) is None
    assert not model.metadata_props
