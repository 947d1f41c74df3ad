"""Every query of the AnalysisTemplates, asked of the evaluator and of a real Prometheus over a simulated rollout."""

from collections.abc import Iterator

import pytest

from pipelines.build import build_overlay, objects
from pipelines.rehearsal.contract import Split
from pipelines.rehearsal.metric import Prometheus
from pipelines.rehearsal.simulate.behaviour import Behaviour
from pipelines.rehearsal.simulate.load import Traffic
from pipelines.rehearsal.simulate.scenario import Scenario
from pipelines.rehearsal.simulate.series import NAME
from pipelines.rehearsal.simulate.world import HASHES, SimulatedWorld
from pipelines.rehearsal.template import resolve, templates_in
from pipelines.tools import ROOT
from tests.pipelines.rehearsal.simulate.real import Ask, Known, assert_same, needs_prometheus, ours, serving

pytestmark = [pytest.mark.slow, needs_prometheus]  # trains a bundle, starts a Prometheus


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    """A canary that fails, is slow, leaks and crashes, beside stable; then alone."""
    bad = Behaviour(
        error_ratio=0.03, slow_share=0.1, slow_seconds=0.3, leak_bytes_per_second=3e5, seconds_between_crashes=200
    )
    scenario = Scenario(
        kind="", strength="", value=0, good=False, model="iris", candidate_servers=bad,
        traffic=Traffic(30.0, rows_per_request=2, refused=0.02), seed=3,
    )  # fmt: skip
    made = SimulatedWorld(scenario, 3)
    for split, seconds in (
        (Split(candidate_pods=1, stable_pods=3, share=0.25), 400),
        (Split(candidate_pods=3, stable_pods=3, share=1), 400),
    ):
        made.split(split)
        made.wait(made.now() + seconds)
    return made


@pytest.fixture(scope="module")
def prometheus(world: SimulatedWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    known: list[Known] = []
    for series in world.fleet.database:
        points = [(at, value) for at, value in zip(series.times_ms, series.values, strict=True) if value is not None]
        series.times_ms[:], series.values[:] = [at for at, _ in points], [value for _, value in points]
        known.append((series.labels[NAME], {k: v for k, v in series.labels.items() if k != NAME}, points))
    with serving(tmp_path_factory.mktemp("prometheus"), known) as ask:
        yield ask


def queries() -> list[str]:
    """Of every template as the overlays of both strategies have them."""
    found: set[str] = set()
    for model in ("iris", "property"):
        templates = templates_in(objects(build_overlay(ROOT, "production", model)))
        given = {"canary-hash": HASHES["candidate"], "stable-hash": HASHES["stable"], "compare": "same"}
        for metric in resolve(list(templates), templates, given):
            if isinstance(metric.provider, Prometheus):
                found.add(metric.provider.query)
    return sorted(found)


def test_every_template_answers_what_prometheus_answers(prometheus: Ask, world: SimulatedWorld) -> None:
    asked = 0
    for query in queries():
        for back in (0, 17.5, 100, 330, 395, 410, 520, 700, 790):
            at = round(world.now() - back, 3)
            assert_same(ours(world.fleet.database, query, at), prometheus(query, at), f"{query} {back} s ago")
            asked += 1
    assert asked >= 9 * 12
