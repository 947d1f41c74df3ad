"""What our server's memory grows by under a million requests, metrics and capture on."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import processes
from tests.bench.cells import Bodies, Plan
from tests.bench.estimators import Made
from tests.bench.load import post
from tests.bench.servers import Running, started
from tests.bench.targets import OURS

MILLION = 1_000_000
# By then every path has been walked and every pool has its size.
_WARM = 50_000
# Longer than between two parts of the capture log: what waits for its part is not growth.
_SETTLE_SECONDS = 11.0
_CONNECTIONS, _SEGMENT_SECONDS = 32, 10


@dataclass(frozen=True)
class Sample:
    """Memory that is mapped from no file, in 2**20 bytes, after so many requests."""

    requests: int
    memory_mb: float


def growth(made: Made, python: Path, plan: Plan, kept: Bodies, *, requests: int = MILLION) -> list[Sample]:
    """A sample when warm, one after each segment, and one at the end; the first and the last with no load, settled."""
    with started(OURS, made, python, core=plan.server_core) as running:
        return list(_samples(running, made, plan, kept, requests))


def _samples(running: Running, made: Made, plan: Plan, kept: Bodies, requests: int) -> Iterator[Sample]:
    way = OURS.ways[0]
    file, headers = kept.of(OURS, way, made, 1)
    url = f"http://127.0.0.1:{running.port}{way.route(made.name, 1)}"

    def load(seconds: int) -> int:
        return post(url, file, headers, connections=_CONNECTIONS, seconds=seconds, core=plan.load_core).requests

    done = 0
    while done < min(_WARM, requests):
        done += load(2)
    time.sleep(_SETTLE_SECONDS)
    yield Sample(done, _memory(running))
    end = done + requests
    while done < end:
        done += load(_SEGMENT_SECONDS)
        yield Sample(done, _memory(running))
    time.sleep(_SETTLE_SECONDS)
    yield Sample(done, _memory(running))


def _memory(running: Running) -> float:
    return processes.memory_mb(running.processes(), "RssAnon")
