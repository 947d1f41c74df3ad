"""Pairs of answers to the same rows, the unit that their differences are measured in, and the limits of a decision."""

from dataclasses import dataclass

import numpy as np

from services.drift.answers import CONFIDENCE, WIDTH, Answers, Values

MIN_ANNOUNCED_ROWS = 20  # iris has 37; with fewer the announced difference is known to a quarter of its spread at best
_PROBABILITY_FLOOR = 0.05  # a class that stable hardly ever names has no spread to measure by


@dataclass(frozen=True, kw_only=True)
class PredictionLimits:
    """From gates.yaml; the distances in units of stable's answers.

    `max_announced_shift` is for the mean difference of predictions and probabilities, which good models hardly have;
    None: no limit beside `max_announced`.
    """

    min_rows: int
    min_distinct_rows: int
    max_beyond_announced: float
    max_announced: float
    max_announced_shift: float | None
    alpha: float


@dataclass(frozen=True)
class Pairs:
    """Answers to the same rows: (n, n_outputs) each, same outputs."""

    candidate: Answers
    stable: Answers

    def whole(self) -> "Pairs":
        """Pairs in which both answers are finite."""
        both = self.candidate.whole & self.stable.whole
        return self if both.all() else Pairs(self.candidate.at(both), self.stable.at(both))

    @property
    def difference(self) -> Values:
        """Candidate - stable."""
        return np.asarray(self.candidate.values - self.stable.values)


def units_of(stable: Answers) -> Values:
    """(n_outputs,) by which differences are divided: what a usual difference between two rows' answers is."""
    values, names = stable.values, stable.names
    spread = values.std(axis=0)
    if CONFIDENCE in names:
        return np.asarray(np.maximum(spread, _PROBABILITY_FLOOR))
    unit = float(spread[names.index("prediction")])
    half = float(np.mean(values[:, names.index(WIDTH)])) / 2
    if unit == 0.0:
        unit = max(half, abs(float(values[0, 0])), 1e-9)  # stable answers one number only
    # a width is measured in itself: half of it is half, however far apart the predictions lie
    own = {"prediction": unit, WIDTH: half if half > 0 else unit}
    return np.array([own.get(name, max(unit, half)) for name in names])


def lack(rows: dict[str, int], limits: PredictionLimits) -> str:
    """Of what there is too little to decide, empty where there is enough."""
    if rows["candidate"] < limits.min_rows:
        return f"{rows['candidate']} rows of the candidate in the window, at least {limits.min_rows} are needed"
    if rows["candidate_distinct"] < limits.min_distinct_rows:
        return f"{rows['candidate_distinct']} distinct rows to compare, at least {limits.min_distinct_rows} are needed"
    if rows["announced"] < MIN_ANNOUNCED_ROWS:
        return f"{rows['announced']} held-out rows in the candidate's bundle, at least {MIN_ANNOUNCED_ROWS} are needed"
    return ""
