"""The judge in the simulated world: its own requests and its own decisions, on windows that are drawn, not stored."""

import io
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from models.bundle import REFERENCE
from models.predictor import Outputs
from pipelines.rehearsal.simulate.captured import Captured
from pipelines.rehearsal.simulate.fleet import CANDIDATE, STABLE
from pipelines.rehearsal.simulate.pool import Version, version
from pipelines.rehearsal.simulate.scenario import Scenario
from services.drift.inputs import InputLimits, judge_inputs
from services.drift.judgement import Judgement, undecided
from services.drift.requests import InputsRequest, parse
from services.drift.sample import Sample


def answer(
    body: Mapping[str, Any],
    scenario: Scenario,
    captured: Mapping[str, Captured],
    now: float,
    chance: np.random.Generator,
) -> Judgement:
    """What the judge would answer to a request's body at `now`."""
    request = parse(dict(body))
    if scenario.faults.capture_empty:
        return undecided("no rows of the candidate in the window")
    if isinstance(request, InputsRequest):
        return _inputs(request, captured, now)
    raise NotImplementedError


def _inputs(request: InputsRequest, captured: Mapping[str, Captured], now: float) -> Judgement:
    limits = InputLimits(
        min_rows=request.min_rows,
        min_distinct_rows=request.min_distinct_rows,
        max_distance=request.max_distance,
        alpha=request.alpha,
    )
    candidate, stable = captured[CANDIDATE], captured[STABLE]
    since = now - request.window.total_seconds()
    before = request.compare == "before"
    end = candidate.first if before and candidate.first is not None else now
    return judge_inputs(
        Sample(candidate.version.bundle.features, candidate.window(since, now)[1]),
        reference(candidate.version),
        Sample(stable.version.bundle.features, stable.window(end - request.window.total_seconds(), end)[1]),
        reference(stable.version),
        limits,
        same_bundle=candidate.version.bundle.digest == stable.version.bundle.digest,
        same_time=not before,
    )


@lru_cache(maxsize=256)
def _stored(model: str, name: str, file: str) -> tuple[Sample, Outputs]:
    """Rows of a bundle's parquet file, and the answers beside them."""
    bundle = version(model, name).bundle
    frame = pd.read_parquet(io.BytesIO(bundle.read(file)))
    rows = frame[[feature.name for feature in bundle.features]].to_numpy(dtype=np.float32)
    if bundle.manifest.classes:
        columns = [f"probability:{each}" for each in bundle.manifest.classes]
        return Sample(bundle.features, rows), {"probabilities": frame[columns].to_numpy(dtype=np.float32)}
    names = [output.name for output in bundle.manifest.outputs]
    return Sample(bundle.features, rows), {name: frame[name].to_numpy(dtype=np.float32) for name in names}


def reference(of: Version) -> Sample:
    """The rows that a version was trained on."""
    return _stored(of.bundle.manifest.model, of.name, REFERENCE)[0]
