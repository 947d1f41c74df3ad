"""The figures that are no ratio of rates under load: start, size on the disk, growth of memory, batch prediction."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.jsonfile import read_json
from tests.bench import figures
from tests.bench.cells import Bodies, Plan
from tests.bench.environments import KEPT, ROOT, SERVING, installed, megabytes
from tests.bench.estimators import Made
from tests.bench.figures import Figure, given
from tests.bench.growth import MILLION, growth
from tests.bench.targets import OURS

# Where tests.bench.batch leaves its ratios.
BATCH_FILE = ROOT / "build" / "bench" / "batch.json"


def start(seconds: Sequence[float]) -> Figure:
    """From the start of the process to the first right answer."""
    story = "process start to first verified prediction"
    return given("start_to_first_prediction_seconds", story, figures.START, seconds)


def disk() -> Figure:
    """What the serving environment takes, where it is installed."""
    values = [megabytes(KEPT / SERVING)] if installed(SERVING) else []
    story = "serving environment on disk, without .pyc"
    return given("serving_environment_mb", story, figures.DISK, values, "make bench-peers installs it")


def memory(made: Made, python: Path, plan: Plan, kept: Bodies, *, requests: int) -> Figure:
    """By how much memory grows under a million requests; under fewer it is told, and is not the figure."""
    key, story = "memory_growth_mb_after_1m_requests", "memory after 1 million requests, growth"
    if not requests:
        return given(key, story, figures.GROWTH, [], "left out")
    samples = growth(made, python, plan, kept, requests=requests)
    grown = samples[-1].memory_mb - samples[0].memory_mb
    if requests < MILLION:
        return given(
            key, story, figures.GROWTH, [], f"only {requests:,} were sent, over which it grew by {grown:.1f} MB"
        )
    notes = [f"{each.requests:,}: {each.memory_mb:.1f} MB" for each in samples[:: max(1, len(samples) // 5)]]
    return Figure(key, story, figures.GROWTH, [grown], ours=OURS.name, notes=notes)


def batch(*, wanted: bool) -> Figure:
    """What the bench of prediction in batches says, run in a process of its own."""
    key, story = (
        "batch_rows_ratio_to_posting",
        "batch prediction from Parquet against posting such rows as JSON: rows a second",
    )
    if importlib.util.find_spec("tests.bench.batch") is None:
        return given(key, story, figures.BATCH, [], "there is no batch prediction yet")
    if not wanted:
        return given(key, story, figures.BATCH, [], "left out")
    done = subprocess.run([sys.executable, "-m", "tests.bench.batch"], cwd=ROOT, check=False)
    if done.returncode:
        return given(key, story, figures.BATCH, [], f"tests.bench.batch ended with {done.returncode}")
    ratios: list[float] = read_json(BATCH_FILE)["ratios"]
    return given(key, story, figures.BATCH, ratios)
