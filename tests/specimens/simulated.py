"""The specimens in the simulated world: the same bundles, servers as server.py has them, a clock that jumps."""

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pipelines.build import build_overlay, objects
from pipelines.rehearsal.contract import Outcome
from pipelines.rehearsal.simulate.behaviour import Behaviour
from pipelines.rehearsal.simulate.load import Traffic
from pipelines.rehearsal.simulate.play import simulate
from pipelines.rehearsal.simulate.scenario import Faults, Scenario
from tests.specimens import catalogue, server, windows
from tests.specimens.catalogue import Case
from tests.specimens.making import ROOT, made
from tests.specimens.removal import without, without_minimums

# Requests a second, for the windows that gates.yaml states; the rehearsal's are thirty times shorter.
_RATES: Mapping[catalogue.Traffic, float] = {"usual": 20.0, "drifted": 20.0, "little": 2.0, "quiet": 0.3}
NEVER = float("inf")
BEHAVIOURS: Mapping[str, Behaviour] = {
    "": Behaviour(),
    "slow": Behaviour(slow_share=1 / 20, slow_seconds=server.SLOW_SECONDS),
    "leak": Behaviour(leak_bytes_per_request=server.LEAK_BYTES),
    "crash": Behaviour(requests_before_crash=100),
    "error-in-fifty": Behaviour(error_ratio=1 / 50),
    "error-in-two": Behaviour(error_ratio=1 / 2),
    "hang": Behaviour(error_ratio=1 / 10),  # at their deadline, which the simulated clock leaves out
    # of each of three pods
    "late-errors": Behaviour(error_ratio=1 / 10, sound_requests=server.LATE // 3),
    "late-slow": Behaviour(slow_share=1 / 10, slow_seconds=server.SLOW_SECONDS, sound_requests=server.LATE // 3),
    # of each pod, so that a canary's first gates have passed
    "later-errors": Behaviour(error_ratio=1 / 50, sound_requests=server.LATER),
    "later-slow": Behaviour(slow_share=1 / 20, slow_seconds=server.SLOW_SECONDS, sound_requests=server.LATER),
    "later-half": Behaviour(error_ratio=1 / 2, sound_requests=server.LATER),
    server.NEVER_READY: Behaviour(ready_seconds=NEVER),
}
# Rows without a number are failed requests, which no capture log has: in the simulation they fail by their share.
_FAILING = {"diabetes-nan": 0.07, "property-nan": 0.018, "property-rare": 0.037}


def scenario(case: Case, *, seed: int = 0, faults: Faults = Faults()) -> Scenario:  # noqa: B008  (frozen)
    """The case as the simulator takes it."""
    behaviour, candidate = BEHAVIOURS[case.server], case.candidate
    if candidate in _FAILING:
        behaviour, candidate = Behaviour(error_ratio=_FAILING[candidate]), case.stable
    if case.release == "tampered":
        behaviour = BEHAVIOURS[server.NEVER_READY]
    return Scenario(
        kind=case.specimen,
        strength="",
        value=0.0,
        good=case.ending is not catalogue.Ending.ABORTED,
        model=case.model,
        stable=str(made(case.stable).folder),
        candidate=str(made(candidate).folder),
        drift=windows.DRIFT if case.traffic == "drifted" else 0.0,
        candidate_servers=behaviour,
        traffic=Traffic(_RATES[case.traffic]),
        faults=faults,
        seed=seed,
    )


def outcome(
    case: Case,
    *,
    removed: Sequence[str] = (),
    seed: int = 0,
    faults: Faults = Faults(),  # noqa: B008  (frozen)
    minimums: bool = True,
) -> Outcome:
    """How the case ends where these gates, or each gate's own minimum of samples, were taken out of the overlay."""
    built = [copy.deepcopy(each) for each in overlay(case.model)]
    for each in built:
        if not minimums and each["kind"] in ("AnalysisTemplate", "Rollout"):
            without_minimums(each)
        if each["kind"] == "Rollout":
            for gate in removed:
                each["spec"]["strategy"] = without(each["spec"]["strategy"], gate)
    return simulate(built, scenario(case, seed=seed, faults=faults))


def gate(ended: Outcome) -> str:
    """What decided, in the table's words; empty where it was promoted."""
    return ended.template or ("deadline" if "progressDeadline" in ended.reason else "")


@cache
def overlay(model: str) -> tuple[dict[str, Any], ...]:
    """The objects of production's overlay."""
    return tuple(objects(build_overlay(ROOT, "production", model)))
