"""The controller of rollouts is killed in the middle of one: its successor goes on where it was, to the same end."""

import pytest

from tests.e2e.breaking import restart
from tests.e2e.callers import Callers
from tests.e2e.candidate import merged
from tests.e2e.figures import Figures
from tests.e2e.given import Cluster
from tests.e2e.releasing import Releases
from tests.e2e.waiting import Clock

# The guard, and one for each step that asks.
RUNS = 4


@pytest.mark.e2e
def test_a_good_one_is_promoted_by_its_successor(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures
) -> None:
    candidate = merged(releases, callers, figures, "controller restarted, good candidate")
    candidate.wait_pod()
    clock = Clock()
    restart(cluster, "argo-rollouts", "argo-rollouts")
    view = candidate.watch.promoted(candidate.released)
    figures.note(candidate.watch.story, "killed_to_promoted_seconds", clock.seconds)

    runs = candidate.rollout.runs(view.current)
    told = candidate.rollout.told(view.current)
    assert len(runs) == RUNS, f"a gate was asked twice, or not at all: {told}"
    assert {run.phase for run in runs} == {"Successful"}, told


@pytest.mark.full
def test_a_bad_one_is_stopped_by_its_successor(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures
) -> None:
    candidate = merged(releases, callers, figures, "controller restarted, bad candidate", recipe="iris-constant")
    candidate.wait_pod()
    restart(cluster, "argo-rollouts", "argo-rollouts")
    _, run = candidate.stopped()
    assert run is not None
    assert "prediction-shift" in run.templates
    candidate.watch.nothing_lost()
