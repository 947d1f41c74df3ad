"""Nobody hears that a rollout ended, since Argo's server is gone: the rollout ends all the same, and is noted later."""

import pytest

from pipelines.kube import ROLLOUT
from tests.e2e.breaking import gone
from tests.e2e.callers import Callers
from tests.e2e.cluster_view import NAME
from tests.e2e.figures import Figures
from tests.e2e.given import Cluster
from tests.e2e.releasing import Releases
from tests.e2e.waiting import Clock, NotYet, until
from tests.e2e.watch import Watch

pytestmark = pytest.mark.full
MODEL = "iris"
NAMESPACE = f"{MODEL}-production"
# The reconciler's period, its pod, and an application by it.
NOTED_SECONDS = 360


def test_an_abort_that_nobody_told_is_found(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures
) -> None:
    stable = releases.stable(f"{MODEL}-stable")
    traffic = callers.start(MODEL)
    watch = Watch("notification lost", releases, traffic, figures)
    released = releases.merge(releases.register(f"{MODEL}-constant"))
    # applied by the push's webhook: the server goes when the canary is there
    releases.rollout(MODEL).wait_canary(released.release, seconds=NOTED_SECONDS)
    with gone(cluster, "argo", "argo-server"):
        view, run = watch.aborted(released)
        lost = Clock()

        def look() -> float:
            found = cluster.kube.get(ROLLOUT, NAME, NAMESPACE) or {"metadata": {}}
            said = found["metadata"].get("annotations", {})
            if said.get("mainline.dev/outcome-hash") != view.current:
                raise NotYet(said.get("mainline.dev/outcome", "nothing noted"))
            assert said["mainline.dev/outcome"].endswith("aborted")
            return lost.seconds

        figures.note(watch.story, "abort_to_noted_seconds", until("the abort is noted", look, seconds=NOTED_SECONDS))
    assert run is not None
    watch.taken_back(released, stable, run.templates)
    watch.nothing_lost()
