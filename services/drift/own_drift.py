"""Whether one feature moved, and whose drift it is: the candidate's own or the world's. Used by `inputs`."""

import math
from dataclasses import dataclass, replace

import numpy as np

from models.feature import Feature
from services.drift.comparison import Comparison, Values, compare, deviation, histogram, nearness
from services.drift.judgement import Finding, State
from services.drift.sample import Sample

RETRAIN = "The world has moved: retrain on recent data. The candidate is no worse placed than stable."


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of each feature.

    Attributes:
        max_distance: above it a distance counts.
        level: below it a p-value counts.
        same_bundle: both serve the same bundle, so that nothing can be the candidate's own.
        same_time: both windows are of the same time; else a difference between them is no evidence of its own.
    """

    max_distance: float
    level: float
    same_bundle: bool
    same_time: bool


@dataclass(frozen=True)
class _Sides:
    candidate: Values
    reference: Values
    stable: Values | None
    stable_reference: Values | None


def judge_feature(feature: Feature, samples: tuple[Sample, Sample, Sample, Sample], asked: Question) -> Finding:
    """The finding on one feature.

    Args:
        feature: as the candidate declares it.
        samples: the candidate's window and reference, stable's window and reference; each distinct row once.
        asked: the limits and what is known of the windows.
    """
    columns = [sample.column(feature) if feature.name in sample.names else None for sample in samples]
    candidate, reference, stable, former = columns
    blank = Finding(
        name=feature.name,
        unit=feature.unit or "",
        state=State.UNKNOWN,
        method="",
        distance=math.nan,
        limit=asked.max_distance,
        p_value=math.nan,
        level=asked.level,
        text=f"{feature.name}: not among the captured features",
        remedy="See whether the candidate's capture log is complete.",
    )
    if candidate is None or reference is None:
        return blank
    category = feature.dtype == "category"
    sides = _Sides(candidate, reference, stable, former)
    found = compare(reference, candidate, category=category)
    pictured = replace(
        blank,
        method=found.method,
        distance=found.distance,
        p_value=found.p_value,
        histogram=histogram(reference, candidate, feature.categories),
    )
    if found.problem:
        return replace(pictured, text=f"{feature.name}: {found.problem}", remedy="Look at what clients send.")
    seen = _seen(feature, found, sides)
    if not found.moved(max_distance=asked.max_distance, level=asked.level):
        return replace(pictured, state=State.STEADY, text=seen, remedy="")
    state, why, remedy = _whose(feature, sides, asked)
    return replace(pictured, state=state, text=f"{seen}; {why}", remedy=remedy)


def _whose(feature: Feature, sides: _Sides, asked: Question) -> tuple[State, str, str]:
    """The candidate's own drift or the world's, why, and what to do."""
    category = feature.dtype == "category"
    if asked.same_bundle:
        return State.WORLD, "stable serves the same bundle", RETRAIN
    if sides.stable_reference is None:
        return State.OWN, "stable has no such feature", "Compare the feature's training data with what clients send."
    references = compare(sides.stable_reference, sides.reference, category=category, level=asked.level)
    if references.problem:
        return State.UNKNOWN, f"the references cannot be compared: {references.problem}", "Train again."
    if references.p_value < asked.level:
        unit = deviation(sides.stable_reference)
        own = nearness(sides.reference, sides.candidate, category=category, unit=unit)
        others = nearness(sides.stable_reference, sides.candidate, category=category, unit=unit)
        # half the limit: two references of one world are never equally far from the same rows
        if not own - others <= asked.max_distance / 2:
            return (
                State.OWN,
                f"stable's reference is nearer to the same rows ({others:.2g})",
                "Compare unit, order and date of the training data with what clients send; train again.",
            )
    if sides.stable is not None and asked.same_time:
        apart = compare(sides.stable, sides.candidate, category=category, level=asked.level)
        if apart.moved(max_distance=asked.max_distance, level=asked.level):
            return (
                State.APART,
                f"stable is sent other rows at the same time ({apart.distance:.2g} away)",
                "See who calls the canary: its share of the traffic must be drawn by chance.",
            )
    return State.WORLD, "stable's reference is as far away", RETRAIN


def _seen(feature: Feature, found: Comparison, sides: _Sides) -> str:
    if feature.dtype == "category":
        return f"{feature.name}: {found.distance:.2g} from the reference ({_largest_change(feature, sides)})"
    known, seen = (values[~np.isnan(values)] for values in (sides.reference, sides.candidate))
    missing = [float(np.isnan(values).mean()) for values in (sides.reference, sides.candidate)]
    parts = []
    if len(known) and len(seen):
        parts.append(f"median {np.median(known):.4g} in the reference, {np.median(seen):.4g} in the window")
    if missing[0] != missing[1]:
        parts.append(f"missing {missing[0]:.1%} in the reference, {missing[1]:.1%} in the window")
    unit = "standard deviations" if found.method == "wasserstein" else "(Jensen-Shannon)"
    return f"{feature.name}: {found.distance:.2g} {unit} from the reference ({', '.join(parts)})"


def _largest_change(feature: Feature, sides: _Sides) -> str:
    names = (*feature.categories, "(missing)")
    shares = [
        np.bincount(np.minimum(side, len(names)).astype(int), minlength=len(names) + 1) / len(side)
        for side in (sides.reference, sides.candidate)
    ]
    worst = int(np.argmax(np.abs(shares[1] - shares[0])))
    name = names[worst] if worst < len(names) else "a category it does not know"
    return f"{name} {shares[0][worst]:.1%} in the reference, {shares[1][worst]:.1%} in the window"
