"""Is the candidate worse than stable where the truth is known by now? A pure decision over pairs of answers.

Both answered the same rows: the candidate when it was asked, stable's own graph afterwards. So what makes a row hard
for both cancels out, and a world that got harder fails nobody.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.verdict import Verdict
from services.drift.answers import CONFIDENCE, PROBABILITY, Answers, Values
from services.drift.comparison import histogram
from services.drift.judgement import Finding, Judgement, State, undecided
from services.drift.pairs import Pairs

METHOD = (
    "Each distinct row counts once, with the mean loss of its repetitions; stable's own graph answers the same rows.",
    "Loss: absolute error, in units of stable's median one on the same rows; or 1 for another class than the true one.",
    "One look: the first call with enough rows decides, and how many rows there are does not depend on the answers.",
    "Worse: the mean difference is above the limit, and a difference of signs alone would reach it with a probability "
    "below alpha: exp(-t^2 / 2), t = sum / root of the sum of squares; holds at any size (Hoeffding, 1963; Efron, "
    "Student's t-test under symmetry conditions, 1969).",
)


@dataclass(frozen=True, kw_only=True)
class QualityLimits:
    """From gates.yaml; `max_worse` in units of stable's median error, or as a share of the rows."""

    min_feedback: int
    max_worse: float
    alpha: float


def judge_quality(
    pairs: Pairs,
    truth: Values,
    limits: QualityLimits,
    *,
    groups: npt.NDArray[np.intp] | None = None,
    counts: dict[str, int] | None = None,
) -> Judgement:
    """The judgement on answers of which the truth is known.

    Args:
        pairs: the candidate's answers, and stable's to the same rows.
        truth: (n,) numbers, or places in the order of the classes; NaN where it was told, but is neither.
        limits: of the gate.
        groups: (n,) equal for repetitions of one row; all rows are distinct where it is None.
        counts: of rows, to be told too.
    """
    known = np.isfinite(truth)
    rows = (counts or {}) | {"candidate": len(truth), "feedback_refused": int((~known).sum())}
    silent = int((~pairs.candidate.whole).sum())
    if silent:
        reason = f"{silent} of {len(truth)} answers of the candidate are not finite numbers"
        return Judgement(verdict=Verdict.FAIL, reason=reason, rows=rows, method=METHOD)
    known &= pairs.stable.whole
    which = np.unique((np.arange(len(truth)) if groups is None else groups)[known], return_inverse=True)[1]
    n_rows = int(which.max()) + 1 if len(which) else 0
    rows["feedback_distinct"] = n_rows
    needed = max(limits.min_feedback, least_rows(limits.alpha))
    if n_rows < needed:
        reason = f"{n_rows} distinct rows with feedback in the window, at least {needed} are needed"
        return undecided(reason, rows=rows)
    losses = [_mean(which, loss) for loss in _losses(pairs, truth, known)]
    worse = losses[0] - losses[1]
    found = _finding(losses[1], losses[0], worse, limits, CONFIDENCE in pairs.candidate.names)
    failed = found.state is State.OWN
    return Judgement(
        verdict=Verdict.FAIL if failed else Verdict.PASS,
        reason=found.text if failed else f"{n_rows} distinct rows with feedback: {found.text}",
        numbers={
            "candidate_loss": float(losses[0].mean()), "stable_loss": float(losses[1].mean()),
            "worse": found.distance, "p_value": found.p_value,
        },
        rows=rows,
        findings=(found,),
        method=METHOD,
    )  # fmt: skip


def by_chance(worse: Values) -> float:
    """Probability, at most, of a sum so large where each difference is as likely to have the other sign."""
    total, squares = float(worse.sum()), float(np.sum(worse**2))
    return math.exp(-(total**2) / (2 * squares)) if total > 0 and squares > 0 else 1.0


def least_rows(alpha: float) -> int:
    """With fewer rows nothing could be told from chance, however wrong the candidate is on each."""
    return math.ceil(2 * math.log(1 / alpha))


def _losses(pairs: Pairs, truth: Values, known: npt.NDArray[np.bool_]) -> tuple[Values, Values]:
    """Of the candidate and of stable, on the rows whose truth is known."""
    sides, right = (pairs.candidate.at(known), pairs.stable.at(known)), truth[known]
    if CONFIDENCE in pairs.candidate.names:
        missed = [np.asarray(_classes(side) != right, dtype=np.float64) for side in sides]
        return missed[0], missed[1]
    errors = [side.values[:, side.names.index("prediction")] - right for side in sides]
    losses = [np.abs(error) for error in errors]
    # the median: one truth that was told wrong, however far off, must not make all other errors look small
    unit = float(np.median(losses[1])) or float(losses[1].mean()) or 1e-9
    return losses[0] / unit, losses[1] / unit


def _classes(answers: Answers) -> npt.NDArray[np.intp]:
    columns = [column for column, name in enumerate(answers.names) if name.startswith(PROBABILITY)]
    return np.asarray(answers.values[:, columns].argmax(axis=1))


def _mean(which: npt.NDArray[np.intp], values: Values) -> Values:
    """Of the repetitions of each row."""
    return np.asarray(np.bincount(which, values) / np.bincount(which))


def _finding(stable: Values, candidate: Values, worse: Values, limits: QualityLimits, classes: bool) -> Finding:
    mean, p_value = float(worse.mean()), by_chance(worse)
    failed = mean > limits.max_worse and p_value < limits.alpha
    what = "share of rows misclassified" if classes else "absolute error, in units of stable's median one"
    text = f"{what}: {candidate.mean():.3g}, stable's {stable.mean():.3g} on the same rows"
    if failed:
        text += f"; {mean:.2g} worse, more than {limits.max_worse:g}"
    return Finding(
        name="misclassified" if classes else "error",
        unit="share" if classes else "stable's median errors",
        state=State.OWN if failed else State.STEADY,
        method="mean difference",
        distance=max(0.0, mean),
        limit=limits.max_worse,
        p_value=p_value,
        level=limits.alpha,
        text=text,
        remedy="Look at the labels of its training: do they mean what callers report as true?" if failed else "",
        histogram=histogram(stable, candidate),
    )
