"""The object store goes away while a canary's pod loads its bundle: the pod asks on, and serves when it is back."""

import time
from contextlib import ExitStack

import pytest

from pipelines.kube import ROLLOUT
from tests.e2e.breaking import gone
from tests.e2e.callers import Callers
from tests.e2e.candidate import MODEL, NAMESPACE, Candidate, merged
from tests.e2e.cluster_view import NAME
from tests.e2e.figures import Figures
from tests.e2e.given import DEPLOYMENT, Cluster
from tests.e2e.releasing import Releases
from tests.e2e.views import view_of
from tests.e2e.waiting import NotYet, until

pytestmark = pytest.mark.full
# Its process runs after three of them; a pod asks for 45 s, and the suite's deadline for it is 55 s.
LOADING_SECONDS = 8


def test_a_pod_waits_for_its_bundle(cluster: Cluster, releases: Releases, callers: Callers, figures: Figures) -> None:
    if cluster.kube.get(DEPLOYMENT, "s3", "storage") is None:
        pytest.skip("the cluster's object store is not its own: nothing to take away")
    # while nobody acts on what is applied the store can go between the merge and the first pod
    releases.stable(f"{MODEL}-stable")
    with ExitStack() as held:
        held.enter_context(gone(cluster, "argo-rollouts", "argo-rollouts"))
        candidate = merged(releases, callers, figures, "store gone while loading")
        _wait_told(cluster, candidate)
        with gone(cluster, "storage", "s3"):
            held.close()
            pod = _wait_running(candidate)
            time.sleep(LOADING_SECONDS)
            assert not candidate.rollout.ready_pods(candidate.rollout.view().current), "ready without its bundle"
        view = candidate.watch.promoted(candidate.released)
    restarts = {
        each["restartCount"]
        for found in candidate.rollout.pods(view.current)
        if found["metadata"]["name"] == pod
        for each in found["status"]["containerStatuses"]
    }
    assert restarts <= {0}, "it asked on, and was not started anew"


def _wait_told(cluster: Cluster, candidate: Candidate) -> None:
    def look() -> None:
        found = cluster.kube.get(ROLLOUT, NAME, NAMESPACE)
        if found is None or view_of(found).digest != candidate.released.digest:
            raise NotYet("not yet applied")

    until("it is applied", look, seconds=180)


def _wait_running(candidate: Candidate) -> str:
    def look() -> str:
        view = candidate.rollout.view()
        if view.current == view.stable:
            raise NotYet(str(view))
        for pod in candidate.rollout.pods(view.current):
            states = [each["state"] for each in pod["status"].get("containerStatuses", [])]
            if any("running" in state for state in states):
                return str(pod["metadata"]["name"])
        raise NotYet(str(view))

    return until("its pod's process runs", look, seconds=180, every=0.5)
