"""From a request to a judgement: reads the windows, fetches the bundles, asks the decision. The judge's app calls it.

Nothing that is met on the way raises: an empty log, a store that is down, a bundle that cannot be verified are
inconclusive judgements that say so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from models.errors import MainlineError
from models.judge_bounds import MAX_ROWS
from models.verdict import Verdict
from services.drift import twins
from services.drift.inputs import InputLimits, judge_inputs, moved_with_the_world
from services.drift.judgement import Judgement, undecided
from services.drift.limits import input_limits, prediction_limits
from services.drift.predictions import Pairs, PredictionLimits, judge_predictions
from services.drift.references import Reference
from services.drift.replaying import assess_replay
from services.drift.requests import InputsRequest, JudgeRequest, PredictionsRequest, QualityRequest, ReplayRequest
from services.drift.sample import first_of_each
from services.drift.scoring import assess_quality
from services.drift.sources import Sources
from services.drift.unpaired import judge_unpaired
from services.drift.windows import CLOCK_SKEW, Window

# To tell whether rows are the world's that training had not: the usual major shift, in deviations of the reference.
_WORLD_DISTANCE = 0.2


@dataclass(frozen=True)
class _Sides:
    """Both windows and their bundles."""

    candidate: twins.Told
    stable: twins.Told
    reference: Reference
    former: Reference


def assess(request: JudgeRequest, sources: Sources, *, now: datetime) -> Judgement:
    """The judgement that a request asks for, of the windows that end at `now` (aware)."""
    if request.candidate_hash == request.stable_hash:
        return undecided(f"candidate and stable are the same pods, hash {request.stable_hash}: nothing to compare")
    try:
        if isinstance(request, ReplayRequest):
            return assess_replay(request, sources, now=now)
        if isinstance(request, QualityRequest):
            return assess_quality(request, sources, now=now)
        return _of_windows(request, sources, now)
    except MainlineError as err:
        return undecided(str(err).split("\n", 1)[0])


def _of_windows(request: InputsRequest | PredictionsRequest, sources: Sources, now: datetime) -> Judgement:
    candidate = sources.window(request.model, request.candidate_hash, now - request.window, now + CLOCK_SKEW, now)
    judged, stable = _judged(request, sources, now, candidate)
    oddities = [
        f"capture log of {name}: {odd}"
        for name, side in (("the candidate", candidate), ("stable", stable))
        if side
        for odd in side.oddities
    ]
    return replace(
        judged,
        warnings=(*judged.warnings, *oddities),
        begin=candidate.times[0] if candidate.times else None,
        end=candidate.times[-1] if candidate.times else None,
        candidate=candidate.party,
        stable=stable.party if stable else None,
    )


def _judged(
    request: InputsRequest | PredictionsRequest, sources: Sources, now: datetime, candidate: Window
) -> tuple[Judgement, Window | None]:
    rows = {"candidate": len(candidate.rows)}
    if candidate.header is None:
        return undecided(_empty("the candidate", request.candidate_hash, request.window), rows=rows), None
    if len(candidate.rows) < request.min_rows:
        reason = f"{len(candidate.rows)} rows of the candidate in the window, at least {request.min_rows} are needed"
        return undecided(reason, rows=rows), None
    first, last = candidate.times[0], candidate.times[-1]
    begin, end = (first, last) if request.compare == "same" else (first - request.window, first)
    # pairs need of stable's log only the bundle that its header names
    most = 1 if isinstance(request, PredictionsRequest) and not candidate.header.masked else MAX_ROWS
    stable = sources.window(request.model, request.stable_hash, begin, end, now, most=most)
    if stable.header is None:
        return undecided(_empty("stable", request.stable_hash, end - begin), rows=rows), stable
    reference, former = sources.reference(candidate), sources.reference(stable)
    sides = _Sides(twins.told(candidate, reference), twins.told(stable, former), reference, former)
    decide: Callable[..., Judgement] = _inputs if isinstance(request, InputsRequest) else _predictions
    judged = decide(request, sides)
    if sides.candidate.left:
        left = f"{sides.candidate.left} rows of the candidate were left out: its own bundle refuses them"
        judged = replace(judged, warnings=(*judged.warnings, left))
    return judged, stable


def _inputs(request: InputsRequest, sides: _Sides) -> Judgement:
    return judge_inputs(
        sides.candidate.sample,
        sides.reference.trained_on,
        sides.stable.sample,
        sides.former.trained_on,
        input_limits(request),
        masked=sides.candidate.masked,
        same_bundle=sides.reference.bundle.digest == sides.former.bundle.digest,
        same_time=request.compare == "same",
    )


def _predictions(request: PredictionsRequest, sides: _Sides) -> Judgement:
    announced = twins.announced(sides.reference, sides.former)
    if announced is None:
        return undecided(
            "stable needs features, or knows classes, that the candidate does not: their answers cannot be paired; "
            "a person decides",
            rows={"candidate": len(sides.candidate.sample)},
        )
    limits = prediction_limits(request)
    if sides.candidate.masked:
        return _unpaired(sides, announced, limits)
    live, own = twins.live(sides.candidate, sides.reference, sides.former)
    n_rows = len(sides.candidate.sample)
    judged = judge_predictions(live, announced, limits, n_rows=n_rows, own=own)
    if judged.verdict is not Verdict.FAIL or not judged.findings:
        return judged
    world = _world(sides, limits)
    return judge_predictions(live, announced, limits, n_rows=n_rows, own=own, world=world) if world else judged


def _unpaired(sides: _Sides, announced: Pairs, limits: PredictionLimits) -> Judgement:
    """Answers of both windows, each once with the row that can be seen of it."""
    once = []
    for side in (sides.candidate, sides.stable):
        seen = np.column_stack([side.sample.matrix, side.answers.values.astype(np.float32)])
        once.append(side.answers.at(first_of_each(seen)))
    n_rows = len(sides.candidate.sample)
    return judge_unpaired(once[0], once[1], announced, limits, n_rows=n_rows, masked=sides.candidate.masked)


def _world(sides: _Sides, limits: PredictionLimits) -> tuple[str, ...]:
    """Features that moved away from what both were trained on; none where something is the candidate's own."""
    rows = sides.candidate.sample
    drift = InputLimits(min_rows=1, min_distinct_rows=1, max_distance=_WORLD_DISTANCE, alpha=limits.alpha)
    judged = judge_inputs(rows, sides.reference.trained_on, rows, sides.former.trained_on, drift, same_time=False)
    return moved_with_the_world(judged) if judged.verdict is Verdict.PASS else ()


def _empty(name: str, pod_hash: str, span: timedelta) -> str:
    return f"the capture log holds no part of {name}, hash {pod_hash}, in {span.total_seconds():.0f} s: was it called?"
