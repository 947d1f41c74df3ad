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
from pipelines.rehearsal.simulate.scenario import Scenario
from services.drift.answers import Answers, from_frame, from_outputs
from services.drift.inputs import InputLimits, judge_inputs, moved_with_the_world
from services.drift.judgement import Judgement, undecided
from services.drift.predictions import Pairs, PredictionLimits, judge_predictions
from services.drift.requests import InputsRequest, JudgeRequest, PredictionsRequest, parse
from services.drift.sample import Sample, first_of_each


@dataclass(frozen=True)
class _Windows:
    """What the judge reads for one request: each version's rows in its window, and the candidate's answers."""

    candidate: Sample
    answers: Answers
    stable: Sample
    same_time: bool


def answer(
    body: Mapping[str, Any],
    scenario: Scenario,
    captured: Mapping[str, Captured],
    now: float,
    chance: np.random.Generator,
) -> Judgement:
    """What the judge would answer to a request's body at `now`."""
    request = parse(dict(body))
    candidate, stable = captured[CANDIDATE].version, captured[STABLE].version
    if isinstance(request, InputsRequest | PredictionsRequest):
        if scenario.faults.capture_empty or captured[CANDIDATE].first is None:
            return undecided("no captured rows of the candidate in the window")
        windows = _read(request, captured, now)
        limits = InputLimits(
            min_rows=request.min_rows,
            min_distinct_rows=request.min_distinct_rows,
            max_distance=request.max_distance if isinstance(request, InputsRequest) else 0.1,
            alpha=request.alpha,
        )
        inputs = _inputs(limits, candidate, stable, windows)
        if isinstance(request, InputsRequest):
            return inputs
        return _predictions(request, candidate, stable, windows, moved_with_the_world(inputs))
    return Judgement(verdict=Verdict.PASS, reason="TODO")


def _read(request: JudgeRequest, captured: Mapping[str, Captured], now: float) -> _Windows:
    candidate, stable = captured[CANDIDATE], captured[STABLE]
    window = request.window.total_seconds()
    before = getattr(request, "compare", "same") == "before"
    end = candidate.first if before and candidate.first is not None else now
    _, rows, outputs = candidate.window(now - window, now)
    return _Windows(
        Sample(candidate.version.bundle.features, rows),
        from_outputs(outputs, candidate.version.bundle.manifest),
        Sample(stable.version.bundle.features, stable.window(end - window, end)[1]),
        not before,
    )


def _inputs(limits: InputLimits, candidate: Version, stable: Version, windows: _Windows) -> Judgement:
    return judge_inputs(
        windows.candidate,
        reference(candidate),
        windows.stable,
        reference(stable),
        limits,
        same_bundle=candidate.bundle.digest == stable.bundle.digest,
        same_time=windows.same_time,
    )


def _predictions(
    request: PredictionsRequest, candidate: Version, stable: Version, windows: _Windows, world: tuple[str, ...]
) -> Judgement:
    once = first_of_each(windows.candidate.matrix)
    rows = windows.candidate.matrix[once]
    twin = from_outputs(stable.predictor.predict(rows), stable.bundle.manifest)
    limits = PredictionLimits(
        min_rows=request.min_rows,
        min_distinct_rows=request.min_distinct_rows,
        max_beyond_announced=request.max_beyond_announced,
        max_announced=request.max_announced,
        max_announced_shift=request.max_announced_shift or request.max_announced,
        alpha=request.alpha,
    )
    live = Pairs(windows.answers.at(once), twin)
    return judge_predictions(
        live, announced(candidate, stable), limits, n_rows=len(windows.candidate), world=world
    )


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
