"""One feature, or one output, in two samples: how far apart, and how likely by chance. Used by the decisions.

Nothing here raises: what cannot be compared is said so, and the decision takes it as inconclusive.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.drift.counts import count_p_value
from services.drift.judge import jensenshannon, ks_p_value, wasserstein
from services.drift.judgement import Histogram

Values = npt.NDArray[np.float64]

WASSERSTEIN, JENSENSHANNON = "wasserstein", "jensenshannon"
_BARS = 12


@dataclass(frozen=True)
class Comparison:
    """Two samples of one column.

    Attributes:
        distance: wasserstein, in standard deviations of the expected values, or jensenshannon; NaN with a `problem`.
        p_value: 1 or less; NaN with a `problem`.
        problem: why the two cannot be compared, empty where they can.
    """

    method: str
    distance: float
    p_value: float
    problem: str = ""

    def moved(self, *, max_distance: float, level: float) -> bool:
        """Further than allowed, and not by chance."""
        return self.p_value < level and self.distance > max_distance


def compare(expected: Values, observed: Values, *, category: bool, level: float = 1.0) -> Comparison:
    """Numbers, NaN for missing, or codes of categories. Above `level` the distance is not looked for: NaN."""
    problem = _problem(expected, observed)
    if problem:
        return Comparison(JENSENSHANNON if category else WASSERSTEIN, math.nan, math.nan, problem)
    if category:
        return _as_categories(expected, observed, level)
    gaps, holes = np.isnan(expected), np.isnan(observed)
    if gaps.all() or holes.all():
        return _as_categories(gaps.astype(np.float64), holes.astype(np.float64), level)
    numbers = _as_numbers(expected[~gaps], observed[~holes], level)
    if not gaps.any() and not holes.any():
        return numbers
    # two questions about one column: the smaller p-value counts twice, and its distance is told
    missing = count_p_value(np.bincount(gaps, minlength=2), np.bincount(holes, minlength=2))
    told = numbers
    if missing < numbers.p_value:
        told = _as_categories(gaps.astype(np.float64), holes.astype(np.float64), level)
    return Comparison(told.method, told.distance, min(1.0, 2 * told.p_value))


def nearness(reference: Values, rows: Values, *, category: bool, unit: float) -> float:
    """The distance of `compare`, for numbers in `unit` in place of the reference's own deviation."""
    found = compare(reference, rows, category=category)
    if found.method != WASSERSTEIN or unit == 0:
        return found.distance
    return found.distance * deviation(reference) / unit


def deviation(values: Values) -> float:
    """Standard deviation of what is not missing; 0 where nothing is or all are equal."""
    known = values[np.isfinite(values)]
    return float(np.std(known)) if len(known) and np.ptp(known) > 0 else 0.0


def histogram(expected: Values, observed: Values, categories: Sequence[str] = ()) -> Histogram | None:
    """Shares over the same bars, for a person to look at; the first and last bar of numbers are open to the outside."""
    if len(expected) == 0 or len(observed) == 0:
        return None
    if categories:
        bars = (*categories, "(missing)", "(other)")
        counts = [
            np.bincount(np.clip(side, 0, len(bars) - 1).astype(int), minlength=len(bars))
            for side in (expected, observed)
        ]
        shown = [number for number in range(len(bars)) if counts[0][number] or counts[1][number]]
        shares = [tuple(float(side[number]) / side.sum() for number in shown) for side in counts]
        return Histogram(tuple(bars[number] for number in shown), shares[0], shares[1])
    sides = [side[np.isfinite(side)] for side in (expected, observed)]
    if not len(sides[0]) or not len(sides[1]):
        return None
    low, high = (
        float(pick([np.quantile(side, share) for side in sides])) for pick, share in ((min, 0.01), (max, 0.99))
    )
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BARS + 1)
    counts = [np.histogram(np.clip(side, low, high), edges)[0] for side in sides]
    shares = [tuple((side / side.sum()).tolist()) for side in counts]
    return Histogram(tuple(f"{edge:.4g}" for edge in edges[:-1]), shares[0], shares[1])


def _problem(expected: Values, observed: Values) -> str:
    if len(expected) == 0 or len(observed) == 0:
        return "there is no row to compare"
    for name, values in (("reference", expected), ("window", observed)):
        infinite = int(np.isinf(values).sum())
        if infinite:
            return f"{infinite} of {len(values)} values in the {name} are infinite"
    if np.isnan(observed).all() and not np.isnan(expected).all():
        return "every value in the window is missing"
    return ""


def _as_numbers(expected: Values, observed: Values, level: float) -> Comparison:
    if deviation(expected) == 0.0:  # one value only: any other one is a new category
        others = [(side != expected[0]).astype(np.float64) for side in (expected, observed)]
        return _as_categories(others[0], others[1], level)
    p_value = ks_p_value(expected, observed)
    return Comparison(WASSERSTEIN, wasserstein(expected, observed) if p_value <= level else math.nan, p_value)


def _as_categories(expected: Values, observed: Values, level: float) -> Comparison:
    codes, where = np.unique(np.concatenate([expected, observed]), return_inverse=True)
    if len(codes) == 1:
        return Comparison(JENSENSHANNON, 0.0, 1.0)
    sides = (where[: len(expected)], where[len(expected) :])
    p_value = count_p_value(*(np.bincount(side, minlength=len(codes)) for side in sides))
    return Comparison(JENSENSHANNON, jensenshannon(expected, observed) if p_value <= level else math.nan, p_value)
