"""How much each feature of a row moved a graph's answer away from its mean answer. Pure; needs nothing but the graph.

Shapley values of the game in which a coalition of features has the row's values, and all others have those of a row of
the background: the mean over background rows of each one's own game. So contributions add up to the answer minus the
mean answer over the background, whatever was sampled: each walk from a background row to the explained one telescopes.

- At most `EXACT_FEATURES` features differ: all coalitions are asked, and nothing is left to chance.
- More: walks in random order, each with its reverse (antithetic: that takes out what pairs of features add to the
  variance), each from a background row of its own: so there is a sample every few graph rows, and the time can end it
  anywhere. Every row is taken equally often, so that their differences add no error.

The libraries that do this need numba, scikit-learn, pandas or torch: more than all of the serving image. What shap 0.51
answers for the shipped models is the same: exact values to 1e-12, sampled ones as near as its own to each other.

Source: Shapley (1953); Strumbelj and Kononenko, Explaining prediction models and individual predictions with feature
contributions (2014); Mitchell et al., Sampling permutations for Shapley value estimation (2022), antithetic sampling.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from models.findings import Matrix

Values = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

# 2^10 coalitions of 100 background rows: a tenth of a second with a linear model, a second with a forest.
EXACT_FEATURES = 10
# Rows that the graph is asked for one explained row, two rounds over the background apart. With the 29 features of a
# house 8 rounds and 0.2 s: the error is then 0.3 % of the largest contribution; four times as many would halve it.
MAX_GRAPH_ROWS = 50_000
# Rows in one run of the graph: what a request to /predict may have by default. Between runs the time is looked at.
CHUNK_ROWS = 1024


@dataclass(frozen=True)
class Explained:
    """The contributions to one answer.

    Attributes:
        value: what the graph answers to the row.
        base_value: what it answers to the background rows that were used, on average.
        contributions: (n_features,), which add up to value - base_value.
        standard_errors: (n_features,) of the contributions, against those with infinitely many samples and all of the
            background; 0 where nothing was left to chance.
        exact: all coalitions were asked.
        n_samples: walks and their reverses, or coalitions of each background row.
        n_background: rows of the background that were used.
        n_graph_rows: rows that the graph was asked.
        whole: whether all that was planned was done before the time was over.
    """

    value: float
    base_value: float
    contributions: Values
    standard_errors: Values
    exact: bool
    n_samples: int
    n_background: int
    n_graph_rows: int
    whole: bool


def explain(
    row: npt.NDArray[np.float32], background: Matrix, graph: Callable[[Matrix], Values], *, late: Callable[[], bool]
) -> Explained:
    """What each feature of a row contributes to the graph's answer; the same row is told the same, time permitting.

    Args:
        row: (n_features,), encoded.
        background: (n >= 1, n_features), encoded.
        graph: answers (k, n_features) by (k,).
        late: whether the time is over; asked between runs of the graph, from the second sample on. What there is by
            then is told, against as many rows of the background as had their turn.
    """
    rng = _rng(row)
    # in an order of chance, so that what was done when the time is over is a sample of the whole
    with np.errstate(invalid="ignore"):  # an answer that is infinite makes contributions that are not finite either
        game = _Game(row, background[rng.permutation(len(background))], graph)
        return game.all_coalitions(late) if len(game.moved) <= EXACT_FEATURES else game.walks(rng, late)


class _Game:
    """The row against each of the background's rows, over the features in which it differs from any of them."""

    def __init__(self, row: npt.NDArray[np.float32], background: Matrix, graph: Callable[[Matrix], Values]) -> None:
        self._row, self._background, self._graph = row, background, graph
        differs = (background != row) & ~(np.isnan(background) & np.isnan(row))
        self.moved: Indexes = np.flatnonzero(differs.any(axis=0))
        self._value = float(graph(row[np.newaxis])[0])
        self._bases = graph(background)  # (n_background,)
        self._n_asked = 1 + len(background)

    def all_coalitions(self, late: Callable[[], bool]) -> Explained:
        """Asks every coalition of the features, from one background row after another."""
        masks, weights = _coalitions(len(self.moved))
        size = max(1, CHUNK_ROWS // len(masks))
        each = np.empty((0, len(self.moved)))  # contributions against each background row
        whole = True
        for begin in range(0, len(self._background), size):
            if len(each) >= 2 and late():
                whole = False
                break
            rows = slice(begin, begin + size)
            bases = self._bases[rows]
            asked = self._ask(np.broadcast_to(masks[1:-1], (len(bases), *masks[1:-1].shape)), rows)
            values = np.column_stack([bases, asked, np.full(len(bases), self._value)])
            each = np.concatenate([each, values[:, : len(masks)] @ weights.T])
        errors = np.zeros(each.shape[1]) if whole else _error_of_mean(each)
        return self._explained(each, errors, len(each) * len(masks), whole, exact=True)

    def walks(self, rng: "np.random.Generator", late: Callable[[], bool]) -> Explained:
        """Walks in random order from each background row, as often as the number of graph rows allows."""
        n_background, n_steps = len(self._background), 2 * (len(self.moved) - 1)
        n_rounds = max(2, MAX_GRAPH_ROWS // (n_background * n_steps))
        n_walks = np.zeros((n_background, 1))
        sums, squares = np.zeros((2, n_background, len(self.moved)))
        size = max(1, CHUNK_ROWS // n_steps)
        turns = [slice(begin, begin + size) for begin in range(0, n_background, size)] * n_rounds
        whole = True
        for rows in turns:
            if n_walks.sum() >= 2 and late():
                whole = False
                break
            found = self._walk(rng, rows)
            n_walks[rows] += 1
            sums[rows] += found
            squares[rows] += found**2
        used = int((n_walks > 0).sum())
        each = sums[:used] / n_walks[:used]
        if used == n_background and n_walks[0] > 1:  # how much the walks from one row differ
            within = np.maximum(0.0, squares - sums**2 / n_walks).sum(axis=0) / (n_walks.sum() - n_background)
            errors = np.sqrt(within * np.sum(1 / n_walks)) / n_background
        else:
            errors = _error_of_mean(each)
        return self._explained(each, errors, 2 * int(n_walks.sum()), whole, exact=False)

    def _walk(self, rng: "np.random.Generator", rows: slice) -> Values:
        """(n_rows, n_moved) contributions, the mean of a walk from each row and its reverse."""
        bases, n_moved = self._bases[rows][:, np.newaxis], len(self.moved)
        orders = rng.permuted(np.tile(np.arange(n_moved), (len(bases), 1)), axis=1)
        places = np.argsort(orders, axis=1)
        forth = places[:, np.newaxis, :] < np.arange(1, n_moved)[np.newaxis, :, np.newaxis]
        asked = self._ask(np.concatenate([forth, ~forth], axis=1), rows)
        ends = np.full_like(bases, self._value)
        forwards = np.diff(np.hstack([bases, asked[:, : n_moved - 1], ends]), axis=1)
        backwards = -np.diff(np.hstack([ends, asked[:, n_moved - 1 :], bases]), axis=1)
        contributions = np.empty((len(bases), n_moved))
        np.put_along_axis(contributions, orders, (forwards + backwards) / 2, axis=1)
        return contributions

    def _ask(self, masks: Mask, rows: slice) -> Values:
        """The graph's answers, (n_rows, n_coalitions).

        Args:
            masks: (n_rows, n_coalitions, n_moved), true where a value is the explained row's.
            rows: of the background, whose values the others are.
        """
        n_rows, n_coalitions, _ = masks.shape
        asked = np.tile(self._row, (n_rows, n_coalitions, 1))
        theirs = self._background[rows][:, np.newaxis, self.moved]
        asked[..., self.moved] = np.where(masks, self._row[self.moved], theirs)
        self._n_asked += n_rows * n_coalitions
        flat = asked.reshape(-1, asked.shape[-1])
        runs = [self._graph(flat[begin : begin + CHUNK_ROWS]) for begin in range(0, len(flat), CHUNK_ROWS)]
        return np.concatenate([*runs, np.empty(0)]).reshape(n_rows, n_coalitions)

    def _explained(self, each: Values, errors: Values, n_samples: int, whole: bool, *, exact: bool) -> Explained:
        """From the contributions against each of the first rows of the background."""
        contributions, spread = np.zeros(len(self._row)), np.zeros(len(self._row))
        contributions[self.moved], spread[self.moved] = each.mean(axis=0), errors
        return Explained(
            value=self._value,
            base_value=float(self._bases[: len(each)].mean()),
            contributions=contributions,
            standard_errors=spread,
            exact=exact,
            n_samples=n_samples,
            n_background=len(each),
            n_graph_rows=self._n_asked,
            whole=whole,
        )


@cache
def _coalitions(n_features: int) -> tuple[Mask, Values]:
    """All coalitions, (2^n, n), the empty one first, the full one last, and what the value of each weighs, (n, 2^n)."""
    masks = (np.arange(2**n_features)[:, np.newaxis] >> np.arange(n_features)) & 1 == 1
    sizes = masks.sum(axis=1)
    shares = np.array([1 / (n_features * math.comb(n_features - 1, size)) for size in range(n_features)] or [0.0])
    joined, left = shares[np.maximum(sizes - 1, 0)], shares[np.minimum(sizes, max(0, n_features - 1))]
    return masks, np.where(masks.T, joined, -left)


def _error_of_mean(each: Values) -> Values:
    """Of a sample's rows; what the background's rows differ by is in it."""
    return np.asarray(each.std(axis=0, ddof=1) / math.sqrt(len(each)))


def _rng(row: npt.NDArray[np.float32]) -> "np.random.Generator":
    """A generator of the row's own, so that each pod tells the same of it."""
    plain = np.where(np.isnan(row), np.float32(np.nan), row + np.float32(0))  # one NaN, one zero
    return np.random.default_rng(int.from_bytes(hashlib.sha256(plain.astype("<f4").tobytes()).digest()))
