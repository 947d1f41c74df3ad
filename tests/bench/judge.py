"""What the judge costs, and how often it is wrong when nothing is wrong: `python -m tests.bench.judge [LOOKS]`.

Prints the time of one warm judgement by size, its memory, and the share of looks at windows and references of one and
the same population in which a candidate is failed, at the alpha of gates.yaml and at a larger one that shows the rate.
"""

import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from models.feature import Feature
from models.findings import Matrix
from models.verdict import Verdict
from services.drift.answers import Answers
from services.drift.assess import assess
from services.drift.inputs import InputLimits, judge_inputs
from services.drift.predictions import Pairs, PredictionLimits, judge_predictions
from services.drift.requests import JudgeRequest, parse
from services.drift.sample import Sample
from services.drift.sources import Sources
from tests.services.drift.capture_log import leave
from tests.specimens.making import KEPT, made

SIZES = ((500, 4, 113), (500, 10, 329), (500, 29, 1442), (5000, 30, 5000))


def features(count: int) -> tuple[Feature, ...]:
    """Every third one a category."""
    return tuple(
        Feature(name=f"f{number}", dtype="category", categories=("a", "b", "c", "d"), missing="allow")
        if number % 3 == 2
        else Feature(name=f"f{number}", dtype="float", missing="allow")
        for number in range(count)
    )


def drawn(chance: np.random.Generator, declared: tuple[Feature, ...], n_rows: int, shift: float = 0.0) -> Sample:
    """Rows of one population: skewed numbers, a twentieth missing, unequal categories; `shift` in deviations."""
    columns: list[Matrix] = []
    for feature in declared:
        if feature.dtype == "category":
            codes = chance.choice(5, n_rows, p=(0.55, 0.3, 0.1, 0.03, 0.02))
            columns.append(codes.astype(np.float32))
        else:
            numbers = chance.lognormal(0, 0.5, n_rows) + shift * 0.604  # the deviation of this lognormal
            columns.append(np.where(chance.random(n_rows) < 0.05, np.nan, numbers).astype(np.float32))
    return Sample(declared, np.column_stack(columns))


def false_alarms(chance: np.random.Generator, looks: int, alpha: float, size: tuple[int, int, int]) -> Iterator[bool]:
    """For each look, whether a candidate was failed that was trained on, and is sent, what stable is."""
    n_rows, n_features, n_reference = size
    declared = features(n_features)
    limits = InputLimits(min_rows=n_rows, min_distinct_rows=30, max_distance=0.0, alpha=alpha)
    for _ in range(looks):
        candidate, stable = (drawn(chance, declared, n_rows) for _ in range(2))
        reference, former = (drawn(chance, declared, n_reference) for _ in range(2))
        judged = judge_inputs(candidate, reference, stable, former, limits)
        yield any(found.p_value < found.level for found in judged.findings)


def upper(count: int, of: int) -> float:
    """Upper end of the 95 % interval of a share, Wilson's."""
    share, z = count / of, 1.96
    middle = share + z * z / (2 * of)
    return (middle + z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))) / (1 + z * z / of)


def main() -> None:
    """Prints the tables."""
    looks = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    chance = np.random.default_rng(0)
    print("rows x features, reference    inputs, nothing moved    all moved    predictions")
    for n_rows, n_features, n_reference in SIZES:
        declared = features(n_features)
        still, gone = (_milliseconds(_inputs(chance, declared, n_rows, n_reference, shift)) for shift in (0.0, 1.0))
        answered = _milliseconds(_predictions(chance, n_rows))
        named = f"{n_rows} x {n_features}, {n_reference}"
        print(f"{named:28}  {still:17.0f} ms  {gone:10.0f} ms  {answered:11.1f} ms")
    for check, taken in _whole_way():
        print(f"{check} of 5000 rows x 29, from the request to the judgement: {taken:.0f} ms")
    print(
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, Evidently's import included"
    )
    print("looks in which a feature is called moved though nothing is, distance left out of account")
    for size in SIZES[:3]:
        for alpha in (0.05, 0.001):
            wrong = sum(false_alarms(chance, looks, alpha, size))
            told = f"{wrong} of {looks} looks, at most {upper(wrong, looks):.2%}"
            print(f"{size[0]} x {size[1]}, reference of {size[2]}, alpha {alpha}: {told}")


def _inputs(
    chance: np.random.Generator, declared: tuple[Feature, ...], n_rows: int, n_reference: int, shift: float
) -> Callable[[], Verdict]:
    limits = InputLimits(min_rows=500, min_distinct_rows=100, max_distance=0.2, alpha=0.001)
    moved, reference = drawn(chance, declared, n_rows, shift), drawn(chance, declared, n_reference)
    stable, trained = drawn(chance, declared, n_rows, shift), drawn(chance, declared, n_reference)

    def judge() -> Verdict:
        # new samples each time: what a sample remembers must not flatter the figure
        candidate, was, former, had = (Sample(declared, each.matrix) for each in (moved, reference, stable, trained))
        return judge_inputs(candidate, was, former, had, limits).verdict

    return judge


def _predictions(chance: np.random.Generator, n_rows: int) -> Callable[[], Verdict]:
    limits = PredictionLimits(
        min_rows=500, min_distinct_rows=100, max_beyond_announced=0.1, max_announced=0.5, max_announced_shift=0.25,
        alpha=0.001,
    )  # fmt: skip
    live, announced = (_pairs(chance, rows) for rows in (n_rows, 1000))
    return lambda: judge_predictions(live, announced, limits).verdict


def _whole_way() -> Iterator[tuple[str, float]]:
    """From a request to the judgement, with real bundles of property and a log of more rows than are read."""
    with tempfile.TemporaryDirectory() as scratch:
        log, now = Path(scratch) / "log", datetime.now(UTC)
        for pods, name in (("s", "property-stable"), ("c", "property-better")):
            leave(log, made(name), pods=pods, n_rows=7500, until=now, seed=len(name))
        sources = Sources(log.as_uri(), (KEPT.as_uri(),), Path(scratch) / "cache")
        common = {"model": "property", "candidate_hash": "c", "stable_hash": "s", "window": "30m"}
        limits = {"max_beyond_announced": 0.1, "max_announced": 0.5}
        for check, asked in (("inputs", {"max_distance": 0.2}), ("predictions", limits)):
            request = parse({"check": check, **common, **asked})
            yield check, _milliseconds(partial(_verdict, request, sources, now))


def _verdict(request: JudgeRequest, sources: Sources, now: datetime) -> Verdict:
    return assess(request, sources, now=now).verdict


def _pairs(chance: np.random.Generator, n_rows: int) -> Pairs:
    stable = chance.normal(size=n_rows)
    candidate = stable + 0.2 * chance.normal(size=n_rows)
    names = ("prediction", "lower", "upper", "width")
    sides = [
        Answers(names, np.column_stack([side, side - 1, side + 1, np.full(n_rows, 2.0)]))
        for side in (candidate, stable)
    ]
    return Pairs(*sides)


def _milliseconds(judge: Callable[[], Verdict]) -> float:
    """CPU time of the quickest of five, after one that warms: what else the machine does is not the judge's."""
    judge()
    taken = []
    for _ in range(5):
        started = time.process_time()
        judge()
        taken.append(time.process_time() - started)
    return min(taken) * 1000


if __name__ == "__main__":
    main()
