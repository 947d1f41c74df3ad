"""`make soak`: ten minutes of callers of every kind at one server, which may not grow, fail or leave a thing behind."""

import asyncio
import json
import os
import random
import re
import signal
import statistics
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.jsonfile import write_json
from tests.bench import processes
from tests.bench.callers import VISITS, Tally, Visitor, never_ends_its_body, visit
from tests.bench.cells import Plan
from tests.bench.estimators import Made
from tests.bench.servers import Running, started
from tests.bench.targets import OURS

_CALLERS, _SLOW_CALLERS = 24, 2
_LOOKS = 60
_MOST_GROWTH_MB = 5.0
# Longer than between two parts of the capture log.
_SETTLE_SECONDS = 11.0
# As long as the server drains when it is asked to end with nothing in flight, and some more.
_MOST_END_SECONDS = 5.0


@dataclass(frozen=True)
class Look:
    """The server at an instant: memory mapped from no file in 2**20 bytes, open descriptors, threads."""

    seconds: float
    memory_mb: float
    open_files: int
    threads: int


def soak(made: Made, python: Path, plan: Plan, *, minutes: float, out: Path) -> int:
    """Lets callers loose on our server, writes what was seen, and returns 1 where something was wrong."""
    tally = Tally()
    with started(OURS, made, python, core=plan.server_core) as running:
        before = _look(running, time.monotonic())
        looks = asyncio.run(_let_loose(running, made, minutes * 60, tally))
        time.sleep(_SETTLE_SECONDS)
        after = _look(running, time.monotonic())
        in_flight = _metric(running, "mainline_requests_in_flight")
        ended = _ends(running)
        said = _errors(running.log)
    wrong = verdict(tally, looks, before, after, in_flight=in_flight, end_seconds=ended, said=said)
    told = {
        "minutes": minutes, "visits": tally.visits, "answers": tally.answers, "wrong": wrong,
        "growth_mb": growth_mb(looks), "end_seconds": ended, "looks": [asdict(each) for each in (*looks, after)],
    }  # fmt: skip
    write_json(out, told)
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(tally.answers.items()))
    memory = f"memory {looks[0].memory_mb:.1f} to {after.memory_mb:.1f} MB, growth {growth_mb(looks):.1f} MB"
    print(f"{sum(tally.visits.values()):,} visits in {minutes:g} minutes; {answers}")
    print(f"{memory}; ended in {ended:.1f} s; {out}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def verdict(
    tally: Tally, looks: Sequence[Look], before: Look, after: Look, *, in_flight: float, end_seconds: float,
    said: Sequence[str],
) -> list[str]:  # fmt: skip
    """A line for each thing that is not as it must be."""
    wrong = [f"{count} x {line}" for line, count in tally.wrong.most_common()]
    wrong += [f"{count} answers of {status}" for status, count in tally.answers.items() if status >= 500]
    if (grown := growth_mb(looks)) > _MOST_GROWTH_MB:
        wrong.append(f"memory: grew by {grown:.1f} MB, at most {_MOST_GROWTH_MB:g}")
    if after.open_files > before.open_files:
        wrong.append(f"descriptors: {before.open_files} before, {after.open_files} after the last caller left")
    fifth = len(looks) // 5  # pools of threads have their size by then
    if after.threads > (most := max(each.threads for each in looks[: 2 * fifth] or looks[:1])):
        wrong.append(f"threads: at most {most} before, {after.threads} after the last caller left")
    if in_flight:
        wrong.append(f"mainline_requests_in_flight: {in_flight:g} with no caller")
    if end_seconds > _MOST_END_SECONDS:
        wrong.append(f"end: took {end_seconds:.1f} s with nothing in flight, at most {_MOST_END_SECONDS:g}")
    return [*wrong, *(f"the server said: {line}" for line in said)]


def growth_mb(looks: Sequence[Look]) -> float:
    """From the second fifth of the time, when every path has been walked, to the last; medians."""
    fifth = max(1, len(looks) // 5)
    early, late = looks[fifth : 2 * fifth] or looks[:1], looks[-fifth:]
    return statistics.median(each.memory_mb for each in late) - statistics.median(each.memory_mb for each in early)


async def _let_loose(running: Running, made: Made, seconds: float, tally: Tally) -> list[Look]:
    began = time.monotonic()
    kinds, weights = [kind for kind, _ in VISITS], [weight for _, weight in VISITS]

    async def caller(number: int) -> None:
        visitor = Visitor(made, random.Random(number))  # noqa: S311  (no secret)
        while time.monotonic() - began < seconds:
            slow = number >= _CALLERS
            kind = never_ends_its_body if slow else visitor.chance.choices(kinds, weights)[0]
            await visit(running.port, kind, visitor, tally)

    async def look() -> list[Look]:
        found = [_look(running, began)]
        while time.monotonic() - began < seconds:
            await asyncio.sleep(seconds / _LOOKS)
            found.append(_look(running, began))
        return found

    looking = asyncio.create_task(look())
    await asyncio.gather(*(caller(number) for number in range(_CALLERS + _SLOW_CALLERS)))
    return await looking


def _look(running: Running, began: float) -> Look:
    return Look(
        seconds=round(time.monotonic() - began, 1),
        memory_mb=processes.memory_mb(running.processes(), "RssAnon"),
        open_files=processes.open_files(running.pid),
        threads=processes.threads(running.pid),
    )


def _metric(running: Running, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else float("nan")


def _ends(running: Running) -> float:
    """Seconds that the server takes to end when it is asked to; the longest that is waited for where it does not."""
    os.kill(running.pid, signal.SIGTERM)
    began = time.monotonic()
    while processes.alive(running.pid) and time.monotonic() - began < 2 * _MOST_END_SECONDS:
        time.sleep(0.05)
    return time.monotonic() - began


def _errors(log: Path) -> list[str]:
    """What the server logged as an error, and what it printed that is no line of its log; the first ten."""
    said = []
    for line in log.read_text(errors="replace").splitlines():
        try:
            level = json.loads(line).get("level", "")
        except ValueError:
            level = "no JSON"
        if str(level).upper() not in ("INFO", "DEBUG", "WARNING"):
            said.append(line[:300])
    return said[:10]
