"""Does the candidate answer as announced? A pure decision over pairs of answers to the same rows.

Every captured row was answered again by stable's own graph. The live difference (candidate - stable) is compared with
the announced one, which both graphs show on the candidate's held-out rows: a better model may answer differently, and
that difference is known beforehand. What was announced has limits of its own, which only a person raises.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from models.verdict import Verdict
from services.drift.answers import CONFIDENCE, PROBABILITY, WIDTH, Answers, Values
from services.drift.comparison import histogram
from services.drift.judge import ks_p_value
from services.drift.judgement import Finding, Judgement, State, undecided

METHOD = (
    "Each distinct row counts once; stable's own graph answers the candidate's rows again, pair by pair.",
    "One look: the first call with enough rows decides, and how many rows there are does not depend on the answers.",
    "Unit: standard deviation of stable's answers; of an interval's width, and of its ends where that is larger, half "
    "of stable's width.",
    "Beyond announced: the mean or root-mean-square live difference is off by more than the limit, and Evidently ks "
    "(exact) between live and announced differences is below alpha / number of outputs.",
    "Above announced: the root-mean-square or mean difference itself is above its limit; live, its lower bound is.",
)
RAISE = "Look at the labels and features of its training; if it is better all the same, raise the limit in gates.yaml."
RETRAIN = "The world has moved: retrain on recent data."
MIN_ANNOUNCED_ROWS = 20  # iris has 37; with fewer the announced difference is known to a quarter of its spread at best
_PROBABILITY_FLOOR = 0.05  # a class that stable hardly ever names has no spread to measure by
_ORDER = (State.OWN, State.UNKNOWN, State.WORLD, State.APART, State.STEADY)
_OWN_TOLERANCE = 1e-3  # of the unit; ten times the golden rows' tolerance, a thousandth of what would matter


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


def finding(name: str, live: Values, announced: Values, limits: PredictionLimits, level: float, world: bool) -> Finding:
    """One output's differences, live and announced, in units: what they say, and who is to blame."""
    p_value = ks_p_value(announced, live)
    shift, shift_announced = float(live.mean()), float(announced.mean())
    rms, rms_announced = _rms(live), _rms(announced)
    beyond = max(abs(shift - shift_announced), rms - rms_announced)
    state, why, remedy = State.STEADY, "as announced", ""
    above = above_announced(name, announced, limits)
    if above:
        state, why, remedy = State.OWN, above, RAISE
    elif p_value < level and beyond > limits.max_beyond_announced:
        state = State.WORLD if world else State.OWN
        why = f"{beyond:.2g} beyond what was announced, more than {limits.max_beyond_announced:g}"
        remedy = (
            RETRAIN if world else "Compare today's rows with the held-out ones: what is there that training had not?"
        )
    if not above and _live_above(name, live, limits, level):
        state = State.UNKNOWN if world else State.OWN
        why = "above the limits of an announced difference"
        remedy = "The world has moved and the two disagree on it: a person decides." if world else RAISE
    text = f"{name}: {shift:+.2g} from stable on average, root mean square {rms:.2g}; "
    text += f"announced {shift_announced:+.2g} and {rms_announced:.2g}: {why}"
    return Finding(
        name=name,
        unit="deviations of stable's answers",
        state=state,
        method="ks",
        distance=beyond,
        limit=limits.max_beyond_announced,
        p_value=p_value,
        level=level,
        text=text,
        remedy=remedy,
        histogram=histogram(announced, live),
    )


def above_announced(name: str, announced: Values, limits: PredictionLimits) -> str:
    """What of the announced difference is above its limit, empty where nothing is."""
    rms, shift = _rms(announced), float(announced.mean())
    if rms > limits.max_announced:
        return f"the announced difference of {rms:.2g} is above {limits.max_announced:g}"
    if limits.max_announced_shift is not None and _shifts(name) and abs(shift) > limits.max_announced_shift:
        return f"the announced shift of {shift:+.2g} is above {limits.max_announced_shift:g}"
    return ""


def decided(
    findings: list[Finding], rows: dict[str, int], numbers: dict[str, float], method: tuple[str, ...]
) -> Judgement:
    """What the outputs say together."""
    findings.sort(key=lambda found: (_ORDER.index(found.state), -found.distance))
    states = {state: [found for found in findings if found.state is state] for state in State}
    own, unknown, world = states[State.OWN], states[State.UNKNOWN], states[State.WORLD]
    warnings = [f"beyond what was announced, on rows that training had not: {found.text}" for found in world]
    verdict, reason = Verdict.PASS, f"{rows['candidate_distinct']} distinct rows answered as announced"
    if own:
        verdict, reason = Verdict.FAIL, own[0].text
    elif unknown:
        verdict, reason = Verdict.INCONCLUSIVE, unknown[0].text
    elif world:
        reason = f"{rows['candidate_distinct']} distinct rows answered, within limits on a world that has moved"
    numbers = numbers | {
        "largest_beyond_announced": max(found.distance for found in findings),
        "smallest_p_value": min(found.p_value for found in findings),
        "level": findings[0].level,
    }
    return Judgement(
        verdict=verdict,
        reason=reason,
        warnings=tuple(warnings),
        numbers=numbers,
        rows=rows,
        findings=tuple(findings),
        method=method,
    )


def _live_above(name: str, live: Values, limits: PredictionLimits, level: float) -> bool:
    """The lower bound of the live difference is above its limit."""
    if _lower(live**2, level) > limits.max_announced**2:
        return True
    if limits.max_announced_shift is None or not _shifts(name):
        return False
    return _lower(math.copysign(1.0, float(live.mean())) * live, level) > limits.max_announced_shift


def _shifts(name: str) -> bool:
    """Whether the mean of an output should stay: of a width or a confidence it may well change."""
    return name == "prediction" or name.startswith(PROBABILITY)


def _lower(values: Values, level: float) -> float:
    """Lower bound of the mean at this level. Squares lean to the right, so for them it holds with room to spare."""
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return float(values.mean()) - NormalDist().inv_cdf(1 - level) * error


def _rms(values: Values) -> float:
    return math.sqrt(float(np.mean(values**2)))


def _largest(values: Values) -> float:
    """Over outputs."""
    return float(np.sqrt(np.mean(values**2, axis=0)).max())


def _label_changes(pairs: Pairs) -> float:
    """Share of rows with another class than stable's."""
    columns = [column for column, name in enumerate(pairs.candidate.names) if name.startswith(PROBABILITY)]
    labels = [side.values[:, columns].argmax(axis=1) for side in (pairs.candidate, pairs.stable)]
    return float(np.mean(labels[0] != labels[1]))
