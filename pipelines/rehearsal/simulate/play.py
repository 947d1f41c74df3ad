"""One rollout of a built overlay through a simulated world: the Rollout's own steps, the templates' own questions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.rehearsal.contract import Event, Outcome
from pipelines.rehearsal.machine import run
from pipelines.rehearsal.revisions import fewest_replicas
from pipelines.rehearsal.simulate.fleet import CANDIDATE, STABLE
from pipelines.rehearsal.simulate.scenario import Scenario
from pipelines.rehearsal.simulate.world import HASHES, SimulatedWorld
from pipelines.rehearsal.template import templates_in

_REPLICAS = 3


def simulate(
    overlay: Sequence[Mapping[str, Any]],
    scenario: Scenario,
    *,
    on_event: Callable[[Event], None] | None = None,
) -> Outcome:
    """How the rollout ends.

    Args:
        overlay: the built overlay's objects: its Rollout, AnalysisTemplates and autoscaler.
        scenario: what happens meanwhile; the same one ends the same way.

    Raises:
        ConfigError: the overlay is wrong, or uses what is not covered.
    """
    return play(overlay, scenario, on_event=on_event)[0]


def play(
    overlay: Sequence[Mapping[str, Any]], scenario: Scenario, *, on_event: Callable[[Event], None] | None = None
) -> tuple[Outcome, SimulatedWorld]:
    """How it ends, and the world in which it did."""
    rollout = next(each for each in overlay if each.get("kind") == "Rollout")
    replicas = pods(overlay)
    world = SimulatedWorld(scenario, replicas)
    outcome = run(
        rollout,
        templates_in(overlay),
        world,
        candidate_hash=HASHES[CANDIDATE],
        stable_hash=HASHES[STABLE],
        replicas=replicas,
        on_event=on_event,
    )
    return outcome, world


def pods(overlay: Sequence[Mapping[str, Any]]) -> int:
    """Pods of the Rollout: its own number, else its autoscaler's least."""
    rollout = next(each for each in overlay if each.get("kind") == "Rollout")
    return int(rollout["spec"].get("replicas", fewest_replicas(overlay) or _REPLICAS))
