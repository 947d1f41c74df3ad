"""Does the candidate answer as announced? A pure decision over pairs of answers to the same rows.

Every captured row was answered again by stable's own graph. The live difference (candidate - stable) is compared with
the announced one, which both graphs show on the candidate's held-out rows: a better model may answer differently, and
that difference is known beforehand. What was announced has limits of its own, which only a person raises.
"""

from collections.abc import Sequence

import numpy as np

from models.verdict import Verdict
from services.drift.answers import CONFIDENCE, PROBABILITY, Answers, Values
from services.drift.judgement import Judgement, undecided
from services.drift.outputs import decided, finding
from services.drift.pairs import Pairs, PredictionLimits, lack, units_of

__all__ = ["Pairs", "PredictionLimits", "judge_predictions"]

METHOD = (
    "Each distinct row counts once; stable's own graph answers the candidate's rows again, pair by pair.",
    "One look: the first call with enough rows decides, and how many rows there are does not depend on the answers.",
    "What is undecidable on enough rows passes no sooner than on twice as many; a fail counts at any look.",
    "Unit: standard deviation of stable's answers; of an interval's width, and of its ends where that is larger, half "
    "of stable's width.",
    "Beyond announced: the mean or root-mean-square live difference is off by more than the limit, and Evidently ks "
    "(exact) between live and announced differences is below alpha / number of outputs.",
    "Above announced: the root-mean-square or mean difference itself is above its limit; live, its lower bound is.",
)
_OWN_TOLERANCE = 1e-3  # of the unit; ten times the golden rows' tolerance, a thousandth of what would matter


def judge_predictions(
    live: Pairs,
    announced: Pairs,
    limits: PredictionLimits,
    *,
    n_rows: int | None = None,
    own: Pairs | None = None,
    world: Sequence[str] = (),
) -> Judgement:
    """The judgement on answers to distinct rows.

    Args:
        live: captured answers of the candidate, and stable's graph on the same rows; each distinct row once.
        announced: the candidate's answers to its held-out rows, and stable's graph on them.
        limits: of the gate.
        n_rows: how many rows were captured, repetitions and all; as many as pairs where it is None.
        own: all captured answers, repeated rows too, and in place of stable's the candidate's own graph on them, to see
            whether the server tells what its bundle says.
        world: features that moved for stable too: on such rows nothing was announced.
    """
    rows = {
        "candidate": len(live.candidate) if n_rows is None else n_rows,
        "candidate_distinct": len(live.candidate),
        "announced": len(announced.candidate),
    }
    few = lack(rows, limits)
    if few:
        return undecided(few, rows=rows)
    wrong = _wrong(live.candidate, own)
    if wrong:
        return Judgement(verdict=Verdict.FAIL, reason=wrong, rows=rows, method=METHOD)
    live, announced = live.whole(), announced.whole()
    kept = {"candidate_distinct": len(live.candidate), "announced": len(announced.candidate)}
    few = lack(rows | kept, limits)
    if few:
        return undecided(f"{few}: stable has no finite answer to the others", rows=rows)
    units = units_of(announced.stable)
    level = limits.alpha / len(units)
    lives, expected = live.difference / units, announced.difference / units
    findings = [
        finding(name, lives[:, column], expected[:, column], limits, level, bool(world))
        for column, name in enumerate(live.candidate.names)
    ]
    numbers = {"largest_live": _largest(lives), "largest_announced": _largest(expected)}
    if CONFIDENCE in live.candidate.names:
        changes = {"label_changes": _label_changes(live), "label_changes_announced": _label_changes(announced)}
        numbers = numbers | changes
    return decided(findings, rows, numbers, METHOD)


def _wrong(told: Answers, own: Pairs | None) -> str:
    """What is wrong with the candidate's answers, whatever stable says to the same rows."""
    told = told if own is None else own.candidate
    silent = len(told) - int(told.whole.sum())
    if silent:
        return f"{silent} of {len(told)} answers of the candidate are not finite numbers"
    astray = 0 if own is None else _astray(own)
    if astray:
        return f"{astray} of {len(told)} answers are not those of the candidate's own bundle: see its server and image"
    return ""


def _astray(own: Pairs) -> int:
    """How many answers are not the own graph's; 0 where they are so few that rounding explains them."""
    known = own.stable.whole
    if not known.any():
        return len(known)
    off = np.abs(own.difference) / units_of(own.stable.at(known))
    far = int((~(off <= _OWN_TOLERANCE)).any(axis=1).sum())
    # a tree's threshold may fall otherwise on another processor: one row in a hundred is forgiven
    return far if far > len(off) / 100 else 0


def _largest(values: Values) -> float:
    """Over outputs."""
    return float(np.sqrt(np.mean(values**2, axis=0)).max())


def _label_changes(pairs: Pairs) -> float:
    """Share of rows with another class than stable's."""
    columns = [column for column, name in enumerate(pairs.candidate.names) if name.startswith(PROBABILITY)]
    labels = [side.values[:, columns].argmax(axis=1) for side in (pairs.candidate, pairs.stable)]
    return float(np.mean(labels[0] != labels[1]))
