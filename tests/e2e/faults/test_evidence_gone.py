"""What the gates ask is gone in mid-rollout: a good candidate is taken back, for nobody saw that it is good."""

import pytest

from tests.e2e.breaking import gone
from tests.e2e.callers import Callers
from tests.e2e.candidate import merged
from tests.e2e.figures import Figures
from tests.e2e.given import Cluster
from tests.e2e.releasing import Releases
from tests.e2e.waiting import Clock

# Each with the gates that ask it.
SOURCES = [
    pytest.param(
        "monitoring", "prometheus", {"enough-samples", "error-ratio", "latency", "saturation"},
        marks=pytest.mark.e2e, id="prometheus",
    ),
    pytest.param("mainline", "drift", {"input-drift", "prediction-shift"}, marks=pytest.mark.full, id="judge"),
]  # fmt: skip


@pytest.mark.parametrize(("namespace", "deployment", "gates"), SOURCES)
def test_nothing_is_promoted_unseen(
    namespace: str,
    deployment: str,
    gates: set[str],
    cluster: Cluster,
    releases: Releases,
    callers: Callers,
    figures: Figures,
) -> None:
    candidate = merged(releases, callers, figures, f"{deployment} gone", over_an_abort=True)
    candidate.wait_pod()
    with gone(cluster, namespace, deployment):
        clock = Clock()
        view, run = candidate.stopped()
        figures.note(candidate.watch.story, "gone_to_abort_seconds", clock.seconds)
    assert run is not None, view.message
    assert run.phase == "Error", "no answer is no verdict"
    assert set(run.templates) & gates
    assert set(run.templates) <= gates
    candidate.watch.nothing_lost()
