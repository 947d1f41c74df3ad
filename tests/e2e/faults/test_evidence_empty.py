"""Prometheus is there and knows nothing, as after the loss of its data: a good candidate waits for a person."""

import pytest

from tests.e2e.callers import Callers
from tests.e2e.candidate import merged
from tests.e2e.figures import Figures
from tests.e2e.given import Cluster
from tests.e2e.releasing import Releases
from tests.e2e.standing_in import EMPTY_PROMETHEUS, in_place_of

pytestmark = pytest.mark.full


def test_no_sample_is_no_verdict(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures, image: str
) -> None:
    candidate = merged(releases, callers, figures, "Prometheus empty")
    with in_place_of(cluster, "monitoring", "prometheus", image=image, script=EMPTY_PROMETHEUS, port=9090):
        view = candidate.wait_for_a_person()
    waiting = [run for run in candidate.rollout.runs(view.current) if run.phase == "Inconclusive"]
    assert [run.templates for run in waiting] == [("enough-samples",)]
    candidate.take_back()
    candidate.watch.nothing_lost()
