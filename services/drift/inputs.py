"""Is the candidate sent what it was trained for? A pure decision over rows of the window and of the references.

A feature has moved where its rows are further than `max_distance` from a reference and not by chance. It fails the
candidate where that is its own drift: it was trained on another world than stable, further from today's rows, or it is
sent other rows than stable at the same time. What has moved for both is the world's: it passes and asks for retraining.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from models.verdict import Verdict
from services.drift.judgement import Finding, Judgement, State, undecided
from services.drift.own_drift import Question, judge_feature
from services.drift.sample import Sample

METHOD = (
    "Each distinct row counts once, so the same 30 rows replayed are 30 samples.",
    "One look: the first call with enough rows decides, and how many rows there are does not depend on their values.",
    "What is undecidable on enough rows passes no sooner than on twice as many; a fail counts at any look.",
    "Numbers: Evidently ks (exact, two samples) and wasserstein, in standard deviations of the reference.",
    "Categories and missing values: Fisher's exact test of the counts and Evidently jensenshannon.",
    "A feature moved where p < alpha / number of features (Bonferroni) and its distance is above the limit.",
    "A candidate that differs in nothing fails with a probability of at most alpha.",
)
_ORDER = (State.OWN, State.APART, State.UNKNOWN, State.WORLD, State.STEADY)


@dataclass(frozen=True, kw_only=True)
class InputLimits:
    """From gates.yaml: `max_distance` in deviations (numbers) or Jensen-Shannon distance (categories)."""

    min_rows: int
    min_distinct_rows: int
    max_distance: float
    alpha: float


def judge_inputs(
    candidate: Sample,
    candidate_reference: Sample,
    stable: Sample,
    stable_reference: Sample,
    limits: InputLimits,
    *,
    masked: Sequence[str] = (),
    same_bundle: bool = False,
    same_time: bool = True,
) -> Judgement:
    """The judgement on four samples.

    Args:
        candidate, stable: captured rows, repetitions and all.
        candidate_reference, stable_reference: rows that each was trained on.
        limits: of the gate.
        masked: features whose values are not captured.
        same_bundle: both serve the same bundle, so that nothing can be the candidate's own.
        same_time: both windows are of the same time; else a difference between them is no evidence of its own.
    """
    once, stable_once = candidate.distinct, stable.distinct
    rows = {
        "candidate": len(candidate),
        "candidate_distinct": len(once),
        "stable": len(stable),
        "stable_distinct": len(stable_once),
        "reference": len(candidate_reference),
        "stable_reference": len(stable_reference),
    }
    lack = _too_few(rows, limits)
    if lack:
        return undecided(lack, rows=rows)
    reference, former = candidate_reference.distinct, stable_reference.distinct
    judged = [feature for feature in candidate_reference.features if feature.name not in masked]
    level = limits.alpha / max(1, len(judged))
    question = Question(max_distance=limits.max_distance, level=level, same_bundle=same_bundle, same_time=same_time)
    findings = [judge_feature(feature, (once, reference, stable_once, former), question) for feature in judged]
    findings.sort(key=lambda found: (_ORDER.index(found.state), -_finite(found.distance)))
    return _decision(tuple(findings), rows, masked)


def moved_with_the_world(judgement: Judgement) -> tuple[str, ...]:
    """Features of a judgement that moved for stable too."""
    return tuple(found.name for found in judgement.findings if found.state is State.WORLD)


def _too_few(rows: dict[str, int], limits: InputLimits) -> str:
    for name, least in (("candidate", limits.min_rows), ("stable", limits.min_distinct_rows)):
        if rows[name] < least:
            return f"{rows[name]} rows of the {name} in the window, at least {least} are needed"
    for name in ("candidate_distinct", "stable_distinct"):
        if rows[name] < limits.min_distinct_rows:
            side = name.removesuffix("_distinct")
            return (
                f"{rows[name]} distinct rows of the {side} in the window, at least {limits.min_distinct_rows} are "
                "needed: repeated rows tell nothing new"
            )
    for name in ("reference", "stable_reference"):
        if rows[name] == 0:
            return f"the {name.replace('_', ' ')} holds no row"
    return ""


def _decision(findings: tuple[Finding, ...], rows: dict[str, int], masked: Sequence[str]) -> Judgement:
    by_state = {state: [found for found in findings if found.state is state] for state in State}
    own = by_state[State.OWN] + by_state[State.APART]
    world, unknown = by_state[State.WORLD], by_state[State.UNKNOWN]
    warnings = []
    if world:
        names = ", ".join(found.name for found in world)
        warnings.append(f"the world has moved, for stable too: {names}; retrain on recent data")
    if masked:
        warnings.append(f"masked, so not compared: {', '.join(sorted(masked))}")
    if own:
        verdict, reason = Verdict.FAIL, f"{_counted(own)} moved for the candidate alone: {own[0].text}"
    elif unknown or not findings:
        verdict = Verdict.INCONCLUSIVE
        reason = (
            f"{_counted(unknown)} cannot be compared: {unknown[0].text}" if unknown else "no feature can be compared"
        )
    else:
        verdict = Verdict.PASS
        reason = f"{len(findings)} features, {rows['candidate_distinct']} distinct rows: "
        reason += f"{_counted(world)} moved with the world" if world else "none moved"
    finite = [found.distance for found in findings if math.isfinite(found.distance)]
    chances = [found.p_value for found in findings if math.isfinite(found.p_value)]
    numbers = {
        "features": float(len(findings)),
        "own": float(len(own)),
        "world": float(len(world)),
        "unknown": float(len(unknown)),
        "largest_distance": max(finite, default=math.nan),
        "smallest_p_value": min(chances, default=math.nan),
        "level": findings[0].level if findings else math.nan,
    }
    return Judgement(
        verdict=verdict,
        reason=reason,
        warnings=tuple(warnings),
        numbers=numbers,
        rows=rows,
        findings=findings,
        method=METHOD,
    )


def _counted(findings: Sequence[Finding]) -> str:
    return "1 feature" if len(findings) == 1 else f"{len(findings)} features"


def _finite(number: float) -> float:
    return number if math.isfinite(number) else math.inf
