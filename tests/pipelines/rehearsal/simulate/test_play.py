"""A built overlay through the simulated world: its own YAML decides, and the same seed ends the same way."""

import copy
from typing import Any

import pytest

from pipelines.build import build_overlay, objects
from pipelines.rehearsal.contract import Ending
from pipelines.rehearsal.simulate.defects import bad_grades, good_grades, scenario_of
from pipelines.rehearsal.simulate.play import simulate
from pipelines.rehearsal.simulate.scenario import Scenario
from pipelines.tools import ROOT

pytestmark = pytest.mark.slow  # trains bundles


@pytest.fixture(scope="module")
def iris() -> list[dict[str, Any]]:
    return objects(build_overlay(ROOT, "production", "iris"))


def scenario(kind: str, value: float, *, rate: float = 20.0, seed: int = 1) -> Scenario:
    (grade,) = [each for each in (*bad_grades(), *good_grades()) if each.kind == kind and each.value == value]
    return scenario_of(grade, "iris", seed, rate=rate)


@pytest.mark.parametrize(("kind", "value", "gate"), [
    ("errors", 0.02, "error-ratio"),
    ("errors", 0.5, "error-storm"),
    ("slow", 0.05, "latency-p99"),
    ("leak", 2.0, "memory"),
    ("stale", 2.0, "input-drift"),
    ("labels", 1.0, "prediction-shift"),
])  # fmt: skip
def test_a_bad_version_is_aborted_by_the_gate_that_is_for_it(
    iris: list[dict[str, Any]], kind: str, value: float, gate: str
) -> None:
    ended = simulate(iris, scenario(kind, value))
    assert (ended.ending, ended.gate) == (Ending.ABORTED, gate), ended.reason


def test_a_good_version_is_promoted_and_a_quiet_one_waits(iris: list[dict[str, Any]]) -> None:
    assert simulate(iris, scenario("identical", 0)).ending is Ending.PROMOTED
    assert simulate(iris, scenario("quiet", 0.3, rate=0.3)).ending is Ending.PAUSED


def test_the_same_seed_ends_the_same_way_at_the_same_second(iris: list[dict[str, Any]]) -> None:
    first, second = (simulate(iris, scenario("errors", 0.02, seed=4)) for _ in range(2))
    assert first == second
    assert simulate(iris, scenario("errors", 0.02, seed=5)) != first


def test_a_threshold_of_the_built_overlay_changes_the_outcome(iris: list[dict[str, Any]]) -> None:
    tolerant = copy.deepcopy(iris)
    for each in tolerant:
        for argument in each["spec"].get("args", ()) if each["kind"] == "AnalysisTemplate" else ():
            if argument["name"] in ("errors-max-ratio", "storm-max-ratio"):
                argument["value"] = "0.2"
    bad = scenario("errors", 0.05)
    assert simulate(iris, bad).ending is Ending.ABORTED
    assert simulate(tolerant, bad).ending is Ending.PROMOTED
