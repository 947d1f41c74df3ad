"""The judge in the simulated world: its own requests and its own decisions, on windows that are drawn, not stored."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from models.bundle import HELD_OUT, REFERENCE
from models.verdict import Verdict
from pipelines.rehearsal.simulate.captured import Captured
from pipelines.rehearsal.simulate.fleet import CANDIDATE, STABLE
from pipelines.rehearsal.simulate.pool import Version, version
from pipelines.rehearsal.simulate.replayed import exchanged
from pipelines.rehearsal.simulate.scenario import Scenario
from services.drift.answers import Answers, from_frame, from_outputs
from services.drift.inputs import InputLimits, judge_inputs, moved_with_the_world
from services.drift.judgement import Judgement, undecided
from services.drift.limits import input_limits, prediction_limits, replay_limits
from services.drift.predictions import Pairs, PredictionLimits, judge_predictions
from services.drift.replay import Expected, judge_replay
from services.drift.requests import InputsRequest, PredictionsRequest, QualityRequest, ReplayRequest, parse
from services.drift.sample import Sample, first_of_each

_WORLD_DISTANCE = 0.2  # as in services.drift.assess


@dataclass(frozen=True)
class _Sides:
    """What the judge has in hand for one request: both versions, their rows, and the candidate's answers."""

    candidate: Version
    stable: Version
    rows: Sample
    answers: Answers
    former_rows: Sample


def answer(
    body: Mapping[str, Any],
    scenario: Scenario,
    captured: Mapping[str, Captured],
    now: float,
    chance: np.random.Generator,
) -> Judgement:
    """What the judge would answer to a request's body at `now`."""
    request = parse(dict(body))
    if isinstance(request, ReplayRequest):
        return _replay(request, scenario, captured, now, chance)
    if isinstance(request, QualityRequest):
        return undecided("there is no feedback in the window: nobody tells the truth in the simulated world")
    sides = None if scenario.faults.capture_empty else _read(request, captured, now)
    if sides is None:
        return undecided("the capture log holds no row of the candidate in the window")
    if isinstance(request, InputsRequest):
        return _inputs(request, sides)
    return _predictions(request, sides)


def _read(request: InputsRequest | PredictionsRequest, captured: Mapping[str, Captured], now: float) -> _Sides | None:
    candidate, stable = captured[CANDIDATE], captured[STABLE]
    window = request.window.total_seconds()
    times, rows, outputs = candidate.window(now - window, now)
    if not len(rows):
        return None
    begin, end = (times.min() - 1, now) if request.compare == "same" else (times.min() - window, times.min())
    return _Sides(
        candidate.version,
        stable.version,
        Sample(candidate.version.bundle.features, rows),
        from_outputs(outputs, candidate.version.bundle.manifest),
        Sample(stable.version.bundle.features, stable.window(begin, end)[1]),
    )


def _inputs(request: InputsRequest, sides: _Sides) -> Judgement:
    return judge_inputs(
        sides.rows,
        reference(sides.candidate),
        sides.former_rows,
        reference(sides.stable),
        input_limits(request),
        same_bundle=sides.candidate.bundle.digest == sides.stable.bundle.digest,
        same_time=request.compare == "same",
    )


def _predictions(request: PredictionsRequest, sides: _Sides) -> Judgement:
    once, limits = first_of_each(sides.rows.matrix), prediction_limits(request)
    twin = from_outputs(sides.stable.predictor.predict(sides.rows.matrix[once]), sides.stable.bundle.manifest)
    live, known = Pairs(sides.answers.at(once), twin), announced(sides.candidate, sides.stable)
    judged = judge_predictions(live, known, limits, n_rows=len(sides.rows))
    if judged.verdict is not Verdict.FAIL or not judged.findings:
        return judged
    world = _world(sides, limits)
    return judge_predictions(live, known, limits, n_rows=len(sides.rows), world=world) if world else judged


def _world(sides: _Sides, limits: PredictionLimits) -> tuple[str, ...]:
    drift = InputLimits(min_rows=1, min_distinct_rows=1, max_distance=_WORLD_DISTANCE, alpha=limits.alpha)
    references = reference(sides.candidate), reference(sides.stable)
    judged = judge_inputs(sides.rows, references[0], sides.rows, references[1], drift, same_time=False)
    return moved_with_the_world(judged) if judged.verdict is Verdict.PASS else ()


def _replay(
    request: ReplayRequest,
    scenario: Scenario,
    captured: Mapping[str, Captured],
    now: float,
    chance: np.random.Generator,
) -> Judgement:
    candidate, stable = captured[CANDIDATE].version, captured[STABLE].version
    rows = np.empty((0, len(candidate.bundle.features)), dtype=np.float32)
    if not scenario.faults.capture_empty:
        rows = captured[STABLE].window(now - request.window.total_seconds(), now)[1]
    known = [_stored(scenario.model, each.name, HELD_OUT)[0].matrix for each in (stable, candidate)]
    rows = np.concatenate([rows[first_of_each(rows)][: request.rows], *known])
    rows = rows[first_of_each(rows)][: request.rows]
    exchanges = exchanged(rows, candidate, stable, scenario, chance)
    own = from_outputs(candidate.predictor.predict(rows), candidate.bundle.manifest)
    digests = str(candidate.bundle.digest), str(stable.bundle.digest)
    expected = Expected(candidate.bundle.manifest, *digests, own, announced(candidate, stable))
    return judge_replay(exchanges, expected, replay_limits(request))


@lru_cache(maxsize=512)
def _announced(model: str, candidate: str, stable: str) -> Pairs:
    """The candidate's answers to its held-out rows, and stable's graph on the same."""
    rows, answers = _stored(model, candidate, HELD_OUT)
    known = version(model, stable)
    return Pairs(answers, from_outputs(known.predictor.predict(rows.matrix), known.bundle.manifest))


def announced(candidate: Version, stable: Version) -> Pairs:
    """What the candidate's bundle announces of its difference from stable."""
    return _announced(candidate.bundle.manifest.model, candidate.name, stable.name)


@lru_cache(maxsize=256)
def _stored(model: str, name: str, file: str) -> tuple[Sample, Answers]:
    """Rows of a bundle's parquet file, and the answers beside them."""
    bundle = version(model, name).bundle
    frame = pd.read_parquet(io.BytesIO(bundle.read(file)))
    rows = frame[[feature.name for feature in bundle.features]].to_numpy(dtype=np.float32)
    return Sample(bundle.features, rows), from_frame(frame, bundle.manifest)


def reference(of: Version) -> Sample:
    """The rows that a version was trained on."""
    return _stored(of.bundle.manifest.model, of.name, REFERENCE)[0]
