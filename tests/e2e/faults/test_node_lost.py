"""A node is lost in the middle of a canary, with pods on it: nothing is promoted for it, and callers soon know."""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.breaking import lost
from tests.e2e.callers import Callers
from tests.e2e.candidate import BETTER, MODEL, NAMESPACE, STABLE, merged
from tests.e2e.figures import Figures
from tests.e2e.given import DEPLOYMENT, POD, Cluster
from tests.e2e.releasing import Releases
from tests.e2e.traffic import LOAD_NAMESPACE
from tests.e2e.waiting import NotYet, until

pytestmark = pytest.mark.full
# Kubernetes takes a node that says nothing for lost after 50 s, looking every 5; then no endpoint leads to its pods.
HEARD_SECONDS = 65
AWAY_SECONDS = 85


@pytest.fixture
def elsewhere(cluster: Cluster, releases: Releases, callers: Callers) -> Iterator[str]:
    """The node that the callers are on, which nothing new lands on: what counts must not be lost itself."""
    releases.stable(STABLE)
    releases.register(BETTER)
    callers.start(MODEL)
    pod = cluster.kube.get(POD, NAMESPACE, LOAD_NAMESPACE)
    assert pod is not None
    node = str(pod["spec"]["nodeName"])
    cluster.kubectl("cordon", node)
    yield node
    cluster.kubectl("uncordon", node)


def test_a_node_goes_and_comes_back(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures, elsewhere: str
) -> None:
    candidate = merged(releases, callers, figures, "node lost")
    view = candidate.wait_pod()
    (pod, *_) = candidate.rollout.ready_pods(view.current)
    node = str(pod["spec"]["nodeName"])
    assert node != elsewhere
    there = [each for each in cluster.pods(NAMESPACE) if each["spec"].get("nodeName") == node]
    gone = candidate.traffic.mark()
    with lost(cluster, node):
        for _ in range(AWAY_SECONDS // 5):
            time.sleep(5)
            assert not candidate.rollout.view().promoted, "promoted while its pod was away"
        back = candidate.traffic.mark()
    until("what ran on it runs again", lambda: _all_available(cluster), seconds=180)
    seen = candidate.lost_at_most(HEARD_SECONDS, pods=len(there), until_second=gone + HEARD_SECONDS, before=back)
    # a node that is back says for a moment that its former pods are ready, and starts them anew
    figures.note(candidate.watch.story, "requests_failed_at_its_return", candidate.traffic.counts(back).n_failed)
    figures.note(candidate.watch.story, "pods_on_it", len(there))
    figures.note(candidate.watch.story, "requests_slower_than_a_second", seen.slow)

    # back again, it ends in one of the ways that a person can see; what was stable can be had again in any case
    def ended() -> str:
        view = candidate.rollout.view()
        if view.promoted or view.aborted or view.waits:
            return "promoted" if view.promoted else "aborted" if view.aborted else "waits for a person"
        raise NotYet(f"{view}; {candidate.rollout.told(view.current)}")

    figures.note(candidate.watch.story, "ending", until("the rollout ends", ended, seconds=300))
    candidate.take_back()


def _all_available(cluster: Cluster) -> None:
    """The forge, the store and the controllers may have been there too."""
    for each in cluster.kube.list(DEPLOYMENT):
        missing = each["spec"].get("replicas", 1) - each.get("status", {}).get("availableReplicas", 0)
        if missing > 0:
            raise NotYet(f"{each['metadata']['namespace']}/{each['metadata']['name']}: {missing} missing")
