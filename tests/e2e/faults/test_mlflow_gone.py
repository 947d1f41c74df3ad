"""MLflow is away: pods come and go and a rollout ends well without it; what MLflow should know is caught up later."""

import pytest

from tests.e2e.breaking import gone
from tests.e2e.callers import Callers
from tests.e2e.candidate import MODEL, NAMESPACE, merged
from tests.e2e.figures import Figures
from tests.e2e.given import Cluster
from tests.e2e.registry import Registry
from tests.e2e.releasing import PRODUCTION, Releases
from tests.e2e.waiting import Clock

pytestmark = pytest.mark.full
# The reconciler's period, twice, and its pod.
CAUGHT_UP_SECONDS = 400


def test_serving_needs_no_mlflow(cluster: Cluster, releases: Releases, callers: Callers, figures: Figures) -> None:
    candidate = merged(releases, callers, figures, "MLflow gone")
    candidate.rollout.wait_applied(candidate.released.release, seconds=180)
    with gone(cluster, "mainline", "mlflow"):
        # one that served leaves, another one takes its place
        pod = candidate.rollout.ready_pods(candidate.stable.revision)[0]["metadata"]["name"]
        cluster.kubectl("delete", "pod", pod, "--namespace", NAMESPACE, "--wait=false")
        candidate.watch.promoted(candidate.released)
    clock = Clock()
    version = candidate.released.release.version
    Registry(releases.stores).wait_alias(MODEL, PRODUCTION, version, seconds=CAUGHT_UP_SECONDS)
    figures.note(candidate.watch.story, "back_to_alias_seconds", clock.seconds)
    candidate.watch.nothing_lost()
