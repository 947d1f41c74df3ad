"""Two samples of one column: Evidently's numbers, an exact test at any size, and nothing that raises."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from services.drift.comparison import compare, histogram, nearness
from services.drift.counts import count_p_value
from services.drift.judge import jensenshannon, ks_p_value, wasserstein
from services.drift.sample import Values

CHANCE = np.random.default_rng(0)
NORMAL, MOVED = CHANCE.normal(size=150), CHANCE.normal(1, 1, size=700)
NAN, INF = math.nan, math.inf


def _reported(expected: Values, observed: Values, method: str) -> float:
    """What a whole report of Evidently says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports use deprecated names
        from evidently import DataDefinition, Dataset, Report
        from evidently.metrics import ValueDrift

        kind = {"categorical_columns": ["x"]} if method == "jensenshannon" else {"numerical_columns": ["x"]}
        sides = [
            Dataset.from_pandas(pd.DataFrame({"x": side}), DataDefinition(**kind)) for side in (observed, expected)
        ]
        found = Report([ValueDrift(column="x", method=method, threshold=0.1)]).run(*sides).dict()
    return float(found["metrics"][0]["value"])


def test_the_numbers_are_those_of_evidentlys_report() -> None:
    codes, others = CHANCE.integers(0, 4, 150).astype(float), CHANCE.integers(0, 5, 500).astype(float)
    assert ks_p_value(NORMAL, MOVED) == pytest.approx(_reported(NORMAL, MOVED, "ks"))
    assert wasserstein(NORMAL, MOVED) == pytest.approx(_reported(NORMAL, MOVED, "wasserstein"))
    assert jensenshannon(codes, others) == pytest.approx(_reported(codes, others, "jensenshannon"))


def test_a_unit_does_not_change_the_distance() -> None:
    assert wasserstein(NORMAL * 1e-6, MOVED * 1e-6) == pytest.approx(wasserstein(NORMAL, MOVED))


@pytest.mark.parametrize(
    ("expected", "observed", "category", "problem"),
    [
        ([], [1.0], False, "no row"),
        ([1.0], [], True, "no row"),
        ([1.0, 2.0], [NAN, NAN], False, "every value in the window is missing"),
        ([1.0, INF], [1.0, 2.0], False, "1 of 2 values in the reference are infinite"),
        ([1.0, 2.0], [-INF, -INF], False, "2 of 2 values in the window are infinite"),
    ],
    ids=["no reference", "no window", "all missing", "infinite reference", "infinite window"],
)
def test_what_cannot_be_compared_is_said(
    expected: list[float], observed: list[float], category: bool, problem: str
) -> None:
    found = compare(np.array(expected), np.array(observed), category=category)
    assert problem in found.problem
    assert math.isnan(found.distance)
    assert not found.moved(max_distance=0.0, level=1.0)


@pytest.mark.parametrize(
    ("expected", "observed", "category", "moved"),
    [
        ([NAN] * 50, [NAN] * 90, False, False),
        ([NAN] * 50, [1.0, 2.0] * 45, False, True),
        ([5.0] * 50, [5.0] * 90, False, False),
        ([5.0] * 50, [6.0] * 90, False, True),
        ([1.0, 2.0, 3.0] * 30, [1.0, 2.0, NAN] * 60, False, True),
        ([1.0, 2.0, 3.0, NAN] * 30, [NAN, 3.0, 2.0, 1.0] * 60, False, False),
        ([0.0, 1.0] * 50, [0.0, 7.0] * 90, True, True),
        ([0.0] * 99 + [1.0], [0.0] * 99 + [2.0], True, False),
    ],
    ids=[
        "never there", "there at last", "constant", "another constant", "a third is missing", "as before",
        "a category never seen", "one row of a category never seen",
    ],
)  # fmt: skip
def test_odd_columns_are_compared_all_the_same(
    expected: list[float], observed: list[float], category: bool, moved: bool
) -> None:
    found = compare(np.array(expected), np.array(observed), category=category)
    assert found.problem == ""
    assert found.moved(max_distance=0.2, level=0.0001) is moved


def test_one_outlier_hides_no_shift_and_makes_none() -> None:
    assert compare(NORMAL, np.append(MOVED, 1e9), category=False).moved(max_distance=0.2, level=1e-4)
    assert not compare(NORMAL, np.append(NORMAL[::2], 1e9), category=False).moved(max_distance=0.2, level=1e-4)


@pytest.mark.parametrize("n_rows", [10, 113, 3000])
def test_counts_of_one_population_differ_no_more_often_than_the_level(n_rows: int) -> None:
    chance = np.random.default_rng(n_rows)
    shares = np.array([0.5, 0.3, 0.15, 0.04, 0.01])
    found = [
        count_p_value(chance.multinomial(n_rows, shares), chance.multinomial(500, shares)) < 0.05 for _ in range(300)
    ]
    assert np.mean(found) <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 300)


def test_counts_of_other_populations_differ() -> None:
    assert count_p_value(np.array([50, 50, 0]), np.array([250, 150, 100])) < 1e-4
    assert count_p_value(np.array([5, 5]), np.array([0, 0])) == 1.0
    assert count_p_value(np.array([5, 0]), np.array([9, 0])) == 1.0


def test_large_samples_are_thinned_and_still_told_apart() -> None:
    chance = np.random.default_rng(1)
    one, other = chance.normal(size=5000), chance.normal(0.15, 1, size=4987)
    assert ks_p_value(one, other) < 1e-6
    assert ks_p_value(one, chance.normal(size=4321)) > 1e-3


def test_nearness_is_in_one_unit() -> None:
    found = compare(NORMAL, MOVED, category=False).distance * float(np.std(NORMAL))
    assert nearness(NORMAL * 10, MOVED * 10, category=False, unit=1.0) == pytest.approx(10 * found)


def test_histograms_share_their_bars() -> None:
    numbers = histogram(NORMAL, MOVED)
    assert numbers is not None
    assert len(numbers.bars) == len(numbers.expected) == len(numbers.observed)
    assert sum(numbers.expected) == pytest.approx(sum(numbers.observed)) == pytest.approx(1)
    named = histogram(np.array([0.0, 0, 1]), np.array([0.0, 2, 9]), ("a", "b"))
    assert named is not None
    assert named.bars == ("a", "b", "(missing)", "(other)")
    assert histogram(np.array([]), NORMAL) is None
    assert histogram(np.array([NAN]), NORMAL) is None
    assert histogram(np.array([2.0]), np.array([2.0])) is not None


def test_samples_that_are_almost_the_same_are_compared_without_a_word() -> None:
    for seed in range(200):
        chance = np.random.default_rng(seed)
        values = chance.normal(size=113)
        assert ks_p_value(values, values + 1e-7 * chance.normal(size=113)) > 0.9
