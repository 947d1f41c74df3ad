"""One output's live and announced differences: what they say, and what all outputs say together.

Used by the decisions on pairs (`predictions`) and on windows (`unpaired`).
"""

import math
from statistics import NormalDist

import numpy as np

from models.verdict import Verdict
from services.drift.answers import PROBABILITY, Values
from services.drift.comparison import histogram
from services.drift.judge import ks_p_value
from services.drift.judgement import Finding, Judgement, State
from services.drift.pairs import PredictionLimits

RAISE = "Look at the labels and features of its training; if it is better all the same, raise the limit in gates.yaml."
RETRAIN = "The world has moved: retrain on recent data."
_ORDER = (State.OWN, State.UNKNOWN, State.WORLD, State.APART, State.STEADY)


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
