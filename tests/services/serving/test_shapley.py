"""Contributions against the definition itself, and what holds of them whatever the model is."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.findings import Matrix
from models.predictor import Predictor
from models.rows import encode
from services.serving import shapley
from services.serving.shapley import CHUNK_ROWS, EXACT_FEATURES, MAX_GRAPH_ROWS, Values, explain
from tests.specimens.making import made

Graph = Callable[[Matrix], Values]
RNG = np.random.default_rng(0)


def never() -> bool:
    return False


def tangled(n_features: int, seed: int = 0) -> Graph:
    """Products of three neighbours, a threshold and a maximum: nothing that adds up."""
    weights = np.random.default_rng(seed).normal(size=n_features)

    def answer(matrix: Matrix) -> Values:
        plain = np.nan_to_num(matrix.astype(np.float64), nan=-1.0)
        mixed = plain * np.roll(plain, 1, axis=1) * np.roll(plain, 2, axis=1) @ weights
        return np.asarray(mixed + 3.0 * (plain[:, 0] > 0) * plain[:, -1] + plain.max(axis=1))

    return answer


def by_definition(row: npt.NDArray[Any], background: Matrix, graph: Graph) -> Values:
    """The mean over all orders, and over the background, of what a feature changes when it joins those before it."""
    n_features = len(row)
    total = np.zeros(n_features)
    for order in itertools.permutations(range(n_features)):
        for theirs in background:
            mixed = theirs.copy()
            before = graph(mixed[np.newaxis])[0]
            for feature in order:
                mixed[feature] = row[feature]
                after = graph(mixed[np.newaxis])[0]
                total[feature] += after - before
                before = after
    return total / (math.factorial(n_features) * len(background))


def sampled_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shapley, "EXACT_FEATURES", 0)


@pytest.mark.parametrize("n_features", [1, 2, 3, 5])
def test_exact_contributions_are_those_of_the_definition(n_features: int) -> None:
    background = RNG.normal(size=(4, n_features)).astype(np.float32)
    row = RNG.normal(size=n_features).astype(np.float32)
    if n_features > 2:
        background[1, 0] = row[1] = np.nan
    found = explain(row, background, tangled(n_features), late=never)
    assert found.exact
    assert found.contributions == pytest.approx(by_definition(row, background, tangled(n_features)), abs=1e-9)
    assert not found.standard_errors.any()


@pytest.mark.slow  # the bundle is trained where none is kept
@pytest.mark.parametrize("name", ["setosa", "virginica"])
def test_contributions_to_an_iris_are_those_of_the_definition(name: str) -> None:
    bundle = made("iris-stable")
    predictor, column = Predictor(bundle), bundle.manifest.classes.index(name)

    def graph(matrix: Matrix) -> Values:
        return np.asarray(predictor.predict(matrix)["probabilities"][:, column], dtype=np.float64)

    row = encode(bundle.golden.rows[2:3], bundle.features).matrix[0]
    background = bundle.background[::8]
    found = explain(row, background, graph, late=never)
    expected = by_definition(row, background, graph)
    assert np.abs(expected).max() > 0.01
    assert found.contributions == pytest.approx(expected, abs=1e-7)
    assert found.value == pytest.approx(float(graph(row[np.newaxis])[0]), abs=1e-7)


def test_sampled_contributions_come_as_near_to_the_exact_ones_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    background = RNG.normal(size=(20, 8)).astype(np.float32)
    rows = RNG.normal(size=(12, 8)).astype(np.float32)
    exact = [explain(row, background, tangled(8), late=never) for row in rows]
    sampled_only(monkeypatch)
    monkeypatch.setattr(shapley, "MAX_GRAPH_ROWS", 20 * 14 * 30)
    found = [explain(row, background, tangled(8), late=never) for row in rows]
    assert not any(each.exact for each in found)
    assert {each.n_samples for each in found} == {2 * 20 * 30}
    off = np.array([each.contributions - true.contributions for each, true in zip(found, exact, strict=True)])
    told = np.array([each.standard_errors for each in found])
    # 96 errors in units of what was told; those of one row hang together
    assert np.abs(off / told).max() < 5
    assert 0.5 < np.mean((off / told) ** 2) < 1.6
    assert told.max() < 0.3 * max(np.abs(each.contributions).max() for each in exact)


def test_pairs_of_walks_know_a_sum_without_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk and its reverse agree on sums, and on products of two features they are off by opposite amounts."""
    weights = RNG.normal(size=30)
    background = RNG.normal(size=(50, 30)).astype(np.float32)
    row = RNG.normal(size=30).astype(np.float32)
    found = explain(row, background, lambda m: m.astype(float) @ weights, late=never)
    expected = weights * (row.astype(float) - background.astype(float).mean(axis=0))
    assert not found.exact
    assert found.contributions == pytest.approx(expected, abs=1e-9)
    assert found.standard_errors == pytest.approx(np.zeros(30), abs=1e-7)
    product = explain(row, background, lambda m: m[:, 3].astype(float) * m[:, 7], late=never)
    assert product.standard_errors == pytest.approx(np.zeros(30), abs=1e-7)
    both, a, b = float(row[3]) * float(row[7]), background[:, 3].astype(float), background[:, 7].astype(float)
    expected_3 = np.mean(both - a * float(row[7]) + float(row[3]) * b - a * b) / 2
    assert product.contributions[3] == pytest.approx(expected_3, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(n_features=st.integers(1, 9), n_background=st.integers(1, 9), seed=st.integers(0, 10**6), missing=st.booleans())
def test_whatever_the_model_contributions_add_up_and_strangers_have_none(
    n_features: int, n_background: int, seed: int, missing: bool
) -> None:
    rng = np.random.default_rng(seed)
    background = rng.integers(-2, 3, size=(n_background, n_features)).astype(np.float32)
    row = rng.integers(-2, 3, size=n_features).astype(np.float32)
    if missing:
        background[0, 0] = row[-1] = np.nan
    graph = tangled(n_features, seed)
    blind = rng.integers(n_features)  # a feature that the graph does not look at

    def looks_away(matrix: Matrix) -> Values:
        seen = matrix.copy()
        seen[:, blind] = 0.5
        return graph(seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapley, "EXACT_FEATURES", 5)
        patch.setattr(shapley, "MAX_GRAPH_ROWS", 400)
        found = explain(row, background, looks_away, late=never)
        again = explain(row.copy(), background, looks_away, late=never)
    assert found.contributions.sum() == pytest.approx(found.value - found.base_value, abs=1e-9)
    assert found.value == looks_away(row[np.newaxis])[0]
    assert found.base_value == pytest.approx(looks_away(background).mean())
    assert found.contributions[blind] == pytest.approx(0, abs=1e-12)
    assert found.n_background == n_background
    assert found.whole
    assert np.isfinite(found.standard_errors).all()
    assert np.array_equal(again.contributions, found.contributions)
    assert np.array_equal(again.standard_errors, found.standard_errors)


def test_features_that_play_the_same_part_share_alike() -> None:
    background = np.repeat(RNG.normal(size=(6, 1)), 4, axis=1).astype(np.float32)
    found = explain(np.ones(4, np.float32), background, lambda m: np.prod(m.astype(float), axis=1), late=never)
    assert found.contributions == pytest.approx(np.full(4, found.contributions[0]))


def test_a_row_of_the_background_alone_has_nothing_to_explain() -> None:
    row = np.array([np.nan, np.nan, np.nan, 3.0], dtype=np.float32)
    found = explain(row, np.tile(row, (5, 1)), tangled(4), late=never)
    assert not found.contributions.any()
    assert (found.value, found.n_graph_rows) == (found.base_value, 6)


def test_equal_values_cost_nothing_and_let_more_features_be_exact() -> None:
    background = np.zeros((10, 60), dtype=np.float32)
    row = np.zeros(60, dtype=np.float32)
    background[:, : EXACT_FEATURES - 1] = RNG.normal(size=(10, EXACT_FEATURES - 1))
    row[EXACT_FEATURES - 1] = 1.0
    found = explain(row, background, tangled(60), late=never)
    assert found.exact
    assert not found.contributions[EXACT_FEATURES:].any()


@pytest.mark.parametrize("n_features", [5, 10, 11, 64])
def test_the_graph_is_asked_no_more_than_is_planned(n_features: int) -> None:
    asked: list[int] = []

    def graph(matrix: Matrix) -> Values:
        asked.append(len(matrix))
        return np.asarray(matrix.sum(axis=1), dtype=np.float64)

    row, *background = RNG.normal(size=(101, n_features)).astype(np.float32)
    found = explain(row, np.array(background), graph, late=never)
    assert max(asked) <= CHUNK_ROWS
    assert found.n_graph_rows == sum(asked)
    assert sum(asked) <= 101 + max(2**EXACT_FEATURES * 100, MAX_GRAPH_ROWS, 2 * 100 * 2 * (n_features - 1))


@pytest.mark.parametrize(
    ("n_features", "n_looks"), [*itertools.product([10, 11, 64], [0, 1, 5, 30]), (784, 0), (784, 1)]
)
def test_when_the_time_is_over_what_there_is_is_told_as_such(n_features: int, n_looks: int) -> None:
    looks = iter([False] * n_looks + [True] * 1_000_000)
    runs = 0

    def graph(matrix: Matrix) -> Values:
        nonlocal runs
        runs += 1
        return tangled(n_features)(matrix)

    background = RNG.normal(size=(100, n_features)).astype(np.float32)
    row = RNG.normal(size=n_features).astype(np.float32)
    found = explain(row, background, graph, late=lambda: next(looks))
    assert not found.whole
    assert 2 <= found.n_background <= 100
    assert runs <= 2 + 2 * (n_looks + 2)
    assert found.contributions.sum() == pytest.approx(found.value - found.base_value, abs=1e-6)
    assert (found.standard_errors > 0).all()


@pytest.mark.parametrize("n_features", [10, 64])
def test_what_is_told_early_is_told_of_rows_from_all_over_the_background(n_features: int) -> None:
    background = np.repeat(np.arange(100)[:, np.newaxis], n_features, axis=1).astype(np.float32)  # as if by time
    looks = iter([False] * 8 + [True])
    row = np.full(n_features, 50.5, dtype=np.float32)
    found = explain(row, background, lambda m: m[:, 0].astype(float), late=lambda: next(looks))
    assert found.n_background < 90
    assert 25 < found.base_value < 75


def test_what_is_told_early_is_as_near_as_it_says() -> None:
    background = RNG.normal(size=(100, 8)).astype(np.float32)
    rows = RNG.normal(size=(20, 8)).astype(np.float32)
    off = []
    for row in rows:
        whole = explain(row, background, tangled(8), late=never)
        looks = iter([False] * 4 + [True])
        part = explain(row, background, tangled(8), late=lambda looks=looks: next(looks))  # type: ignore[misc]
        assert part.n_background < 50
        off.append((part.contributions - whole.contributions) / part.standard_errors)
    assert 0.4 < np.mean(np.square(off)) < 1.6  # below 1: a sample of 20 of 100 misses less than one of infinitely many
