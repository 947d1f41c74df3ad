"""`make bench-gates`: simulates rollouts, half good and half bad, and says what the gates let through.

Writes build/bench/gates.json and the picture; prints a table. The same seed gives the same figures. Ends with 1 where a
version was promoted that gates.yaml claims to stop, or where good ones are aborted too often to be chance.
"""

import argparse
import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from models.spec import Gates, load_model
from pipelines.build import build_overlay, objects
from pipelines.jsonfile import write_json
from pipelines.rehearsal.simulate.defects import scenarios
from pipelines.rehearsal.simulate.figures import Played, broken, document
from pipelines.rehearsal.simulate.fleet import CANDIDATE
from pipelines.rehearsal.simulate.picture import draw
from pipelines.rehearsal.simulate.play import play
from pipelines.rehearsal.simulate.pool import trained
from pipelines.rehearsal.simulate.scenario import Scenario
from pipelines.rehearsal.simulate.table import show

# What is reported; thresholds were tuned on seeds from 1 up.
REPORTED_SEED = 20_261_121
_ROOT = Path(__file__).resolve().parents[3]


@cache
def overlay(model: str) -> tuple[dict[str, Any], ...]:
    """The built production overlay, as a cluster would get it."""
    return tuple(objects(build_overlay(_ROOT, "production", model)))


@cache
def gates_of(model: str) -> Gates:
    """The model's gates.yaml."""
    return load_model(_ROOT / "models" / model)[1]


def played(scenario: Scenario) -> Played:
    """One rollout, played to its end."""
    warnings.simplefilter("ignore")  # in a worker process: pandas and Evidently warn of their own future
    outcome, world = play(overlay(scenario.model), scenario)
    begun = world.captured[CANDIDATE].first_request
    least = gates_of(scenario.model).online.inputs.min_rows
    return Played(
        kind=scenario.kind,
        value=scenario.value,
        strength=scenario.strength,
        good=scenario.good,
        claimed=not scenario.good and scenario.value >= gates_of(scenario.model).catches.get(scenario.kind, math.inf),
        model=scenario.model,
        strategy="blue-green" if "blueGreen" in _strategy(scenario.model) else "canary",
        rate=scenario.traffic.rate,
        seed=scenario.seed,
        ending=outcome.ending,
        gate=outcome.gate,
        reason=outcome.reason,
        seconds=outcome.seconds if begun is None else world.now() - begun,
        rows_seconds=world.captured[CANDIDATE].seconds_until(least),
        share=max((event.share for event in outcome.events), default=0.0),
    )


def _strategy(model: str) -> dict[str, Any]:
    rollout = next(each for each in overlay(model) if each["kind"] == "Rollout")
    return dict(rollout["spec"]["strategy"])


def run(cases: Sequence[Scenario], processes: int) -> Iterator[Played]:
    """Plays the rollouts, in their order; first trains what they serve, each bundle once."""
    served = sorted({(each.model, name) for each in cases for name in (each.stable, each.candidate)})
    # never forked: OpenMP's threads, once used, are not there in a fork, which then waits for them for ever
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(_trained, served))
        yield from pool.map(played, cases, chunksize=max(1, min(8, len(cases) // (4 * processes))))


def _trained(served: tuple[str, str]) -> None:
    warnings.simplefilter("ignore")
    trained(*served)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(prog="bench-gates", description=__doc__)
    arguments.add_argument("--rollouts", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=REPORTED_SEED)
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--out", type=Path, default=_ROOT / "build" / "bench")
    arguments.add_argument("--picture", type=Path, default=None, help="default: gates.png in --out")
    given = arguments.parse_args(argv)
    started = time.perf_counter()
    found: list[Played] = []
    for each in run(scenarios(given.rollouts, given.seed), given.processes):
        found.append(each)
        _progress(len(found), given.rollouts, started)
    wall = time.perf_counter() - started
    told = document(found, seed=given.seed, wall_seconds=wall)
    write_json(given.out / "gates.json", told)
    write_json(given.out / "rollouts.json", {"rollouts": [asdict(each) for each in found]})
    picture = given.picture or given.out / "gates.png"
    draw(found, picture)
    print(show(found, told))
    print(f"\n{given.out / 'gates.json'}, {picture}: {given.rollouts} rollouts in {wall:.0f} s, seed {given.seed}")
    for problem in broken(found):
        print(problem, file=sys.stderr)
    return 1 if broken(found) else 0


def _progress(done: int, of: int, started: float) -> None:
    if sys.stderr.isatty() or done == of or done % 100 == 0:
        width, end = 30, "\r" if sys.stderr.isatty() and done < of else "\n"
        bar = "#" * (width * done // of)
        print(
            f"[{bar:<{width}}] {done}/{of} {time.perf_counter() - started:.0f} s", end=end, file=sys.stderr, flush=True
        )


if __name__ == "__main__":
    raise SystemExit(main())
