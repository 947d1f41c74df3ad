"""The best number of rows at once is measured for trees alone, and recorded where it is worth it."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from models.spec import ModelSpec
from pipelines.chunk import CANDIDATES, ROWS, best_chunk, chosen
from pipelines.export import export

SPEC = ModelSpec.model_validate(
    {
        "name": "house",
        "task": "regression",
        "owner": "x",
        "description": "x",
        "data": {"file": "x.csv"},
        "target": {"name": "price"},
        "features": [{"name": "a", "dtype": "float"}, {"name": "b", "dtype": "float"}],
        "interval": {"coverage": 0.9},
    }
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((1.0, 1.0, 1.0), None),
        ((1.0, 0.8, 0.8), None),
        ((1.0, 0.5, 0.45), 128),
        ((1.0, 0.9, 0.3), 32),
        ((1, 0.5, 0.3), 32),
    ],
)
def test_smaller_is_chosen_where_it_is_much_faster(seconds: tuple[float, ...], expected: int | None) -> None:
    assert chosen(dict(zip((ROWS, *CANDIDATES), seconds, strict=True))) == expected


def test_graph_without_trees_is_not_measured() -> None:
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    graph = export(LinearRegression().fit(rows, rows[:, 0]), SPEC, rows, 1.0)

    def never() -> float:
        raise AssertionError("no clock is read")

    assert best_chunk(graph, rows, never) is None


def test_trees_are_measured_over_a_large_request() -> None:
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    graph = export(RandomForestRegressor(5, random_state=0).fit(rows, rows[:, 0]), SPEC, rows, 1.0)
    ticks: Iterator[int] = count()
    assert best_chunk(graph, rows, lambda: float(next(ticks))) is None, "equal times are no reason"
