"""Brings feedback, captured rows and stable's graph together, and hands them to the decision on quality."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from models.judge_bounds import MAX_ROWS
from models.manifest import Manifest
from services.drift import twins
from services.drift.answers import Values
from services.drift.captured import encoded
from services.drift.feedback import Feedback
from services.drift.judgement import Judgement, undecided
from services.drift.limits import quality_limits
from services.drift.pairs import Pairs
from services.drift.parts import Key
from services.drift.quality import judge_quality
from services.drift.references import Reference
from services.drift.requests import QualityRequest
from services.drift.sample import alike
from services.drift.sources import Sources
from services.drift.windows import CLOCK_SKEW, Window


def assess_quality(request: QualityRequest, sources: Sources, *, now: datetime) -> Judgement:
    """The judgement on quality.

    Raises:
        MainlineError: the log or a bundle cannot be had.
    """
    begin = now - request.window
    feedback = sources.feedback(request.model, begin, now)
    # without feedback one row tells who was asked about
    wanted, most = (feedback.truth.keys(), MAX_ROWS) if feedback.truth else (None, 1)
    window = sources.window(
        request.model, request.candidate_hash, begin, now + CLOCK_SKEW, now, most=most, wanted=wanted
    )
    # of stable only the bundle that its header names; after a switch it answers nobody any more
    stable = sources.window(request.model, request.stable_hash, begin - request.window, now, now, most=1)
    judged = _judged(request, sources, feedback, window, stable)
    return replace(
        judged,
        warnings=(*judged.warnings, *feedback.oddities, *(f"capture log: {odd}" for odd in window.oddities)),
        begin=window.times[0] if window.times else None,
        end=window.times[-1] if window.times else None,
        candidate=window.party,
        stable=stable.party,
    )


def _judged(request: QualityRequest, sources: Sources, feedback: Feedback, window: Window, stable: Window) -> Judgement:
    counts = {"feedback": len(feedback.truth), "feedback_elsewhere": len(feedback.truth.keys() - set(window.keys))}
    if not feedback.truth:
        return undecided("there is no feedback in the window: was any sent?", rows=counts)
    if not window.keys:
        told = f"{len(feedback.truth)} rows have feedback, none of them is the candidate's"
        return undecided(told, rows=counts)
    for name, side in (("the candidate", window), ("stable", stable)):
        if side.header is None:
            return undecided(f"the capture log holds no part of {name} in the window", rows=counts)
        if side.header.masked:
            return undecided(f"{name} masks {', '.join(side.header.masked)}: stable cannot answer again", rows=counts)
    reference, former = sources.reference(window), sources.reference(stable)
    if not twins.comparable(reference, former):
        return undecided(
            "stable needs features, or knows classes, that the candidate does not: a person decides", rows=counts
        )
    return _scored(request, feedback.truth, twins.told(window, reference), reference, former, counts)


def _scored(
    request: QualityRequest,
    truth: Mapping[Key, Any],
    candidate: twins.Told,
    reference: Reference,
    former: Reference,
    counts: dict[str, int],
) -> Judgement:
    twin, kept = encoded([candidate.window.rows[number] for number in candidate.kept], former.features)
    pairs = Pairs(candidate.answers.at(kept), former.answers(twin.matrix))
    keys = [candidate.window.keys[number] for number in candidate.kept[kept]]
    right = _numbers([truth[key] for key in keys], reference.bundle.manifest)
    groups = alike(candidate.sample.matrix[kept])
    return judge_quality(pairs, right, quality_limits(request), groups=groups, counts=counts)


def _numbers(told: list[Any], manifest: Manifest) -> Values:
    """As numbers, or as places in the order of the classes; NaN for what is neither."""
    places = {name: float(place) for place, name in enumerate(manifest.classes)}
    if manifest.classes:
        return np.array([places.get(str(value), math.nan) for value in told], dtype=np.float64)
    return np.array([value if isinstance(value, int | float) else math.nan for value in told], dtype=np.float64)
