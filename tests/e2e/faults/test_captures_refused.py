"""What is answered cannot be recorded, since the store refuses or the volume is full: answers go on, it is counted.

A gate that needs the rows waits for a person; it never passes for want of them.
"""

import json
from collections.abc import Iterator

import pytest

from pipelines.cluster.store_rights import Role, access_key, policy
from pipelines.kube import Object
from tests.e2e.callers import Callers
from tests.e2e.candidate import MODEL, NAMESPACE, STABLE, merged
from tests.e2e.cluster_view import HASH
from tests.e2e.figures import Figures
from tests.e2e.given import DEPLOYMENT, POD, Cluster, is_ready
from tests.e2e.object_store import policed
from tests.e2e.reaching import Ways
from tests.e2e.releasing import Releases
from tests.e2e.waiting import NotYet, until
from tests.e2e.watch import Watch

pytestmark = pytest.mark.full
BUCKET = "mainline-captures"
FULL = "full-captures"
DROPPED, KEPT = "mainline_capture_dropped_total", "mainline_captured_total"
ENOUGH = 200


def test_a_store_that_refuses_costs_rows_and_no_answer(
    cluster: Cluster, ways: Ways, releases: Releases, callers: Callers, figures: Figures
) -> None:
    if cluster.kube.get(DEPLOYMENT, "s3", "storage") is None:
        pytest.skip("the cluster's object store is not its own: nobody may change its policies")
    told = json.loads(policy(BUCKET))
    told["Statement"] = [each for each in told["Statement"] if access_key(Role.SERVING) not in each["Principal"]["AWS"]]
    assert told["Statement"], "the judge still reads"
    candidate = merged(releases, callers, figures, "captures refused")
    with policed(cluster, ways, BUCKET, json.dumps(told)):
        view = candidate.wait_pod()
        candidate.wait_for_a_person()
        (run, *_) = [each for each in candidate.rollout.runs(view.current) if each.phase == "Inconclusive"]
        assert run.deciding == ("enough-rows",), "requests were enough, rows were none"
        (pod, *_) = candidate.rollout.ready_pods(view.current)
        dropped = _count(cluster, pod["metadata"]["name"], DROPPED)
        assert dropped > 0
        figures.note(candidate.watch.story, "requests_dropped_from_the_log_of_one_pod", dropped)
    candidate.take_back()
    candidate.watch.nothing_lost()


@pytest.fixture
def full(cluster: Cluster, releases: Releases) -> Iterator[str]:
    """One more pod behind the service, whose log lies on a volume of 64 KiB; its name."""
    stable = releases.stable(STABLE)
    (like, *_) = releases.rollout(MODEL).ready_pods(stable.revision)
    _delete(cluster)
    cluster.kube.create(_on_a_small_volume(like))
    yield FULL
    _delete(cluster)


def test_a_volume_that_is_full_costs_rows_and_no_answer(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures, full: str
) -> None:
    watch = Watch("capture volume full", releases, callers.start(MODEL), figures)

    def look() -> float:
        pod = cluster.kube.get(POD, full, NAMESPACE)
        if pod is None or not is_ready(pod):
            raise NotYet("not ready")
        dropped = _count(cluster, full, DROPPED)
        if dropped < ENOUGH:
            raise NotYet(f"{_count(cluster, full, KEPT):.0f} kept, {dropped:.0f} dropped")
        return dropped

    dropped = until("the volume is full", look, seconds=180)
    assert _count(cluster, full, KEPT) > 0, "at first there was room"
    pod = cluster.kube.get(POD, full, NAMESPACE)
    assert pod is not None
    assert is_ready(pod), "evicted or not ready: such a volume must say that it is full, and no more"
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    _delete(cluster)
    figures.note(watch.story, "requests_dropped_from_the_log", dropped)
    watch.nothing_lost()


def _on_a_small_volume(like: Object) -> Object:
    """In memory, so that the kernel says that there is no space; on a disk it would be evicted for being full."""
    spec = {key: value for key, value in like["spec"].items() if key not in ("nodeName", "hostname")}
    (container,) = (dict(each) for each in spec["containers"])
    changed = {"MAINLINE_CAPTURE_URI": "file:///var/captures", "MAINLINE_CAPTURE_FLUSH_SECONDS": "1"}
    kept = [each for each in container["env"] if each["name"] not in (*changed, "MAINLINE_POD_TEMPLATE_HASH")]
    container["env"] = [*kept, *({"name": key, "value": value} for key, value in changed.items())]
    container["volumeMounts"] = [*container["volumeMounts"], {"name": "captures", "mountPath": "/var/captures"}]
    volume = {"name": "captures", "emptyDir": {"medium": "Memory", "sizeLimit": "64Ki"}}
    spec |= {"containers": [container], "volumes": [*spec["volumes"], volume]}
    # behind the service, and of no revision: nobody but the service counts it
    labels = {key: value for key, value in like["metadata"]["labels"].items() if key != HASH}
    metadata = {"name": FULL, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _delete(cluster: Cluster) -> None:
    cluster.kubectl("delete", "pod", FULL, "--namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s")


def _count(cluster: Cluster, pod: str, name: str) -> float:
    """A counter of a pod's server."""
    text = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics")
    found = [line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    assert found, f"{pod} has no counter {name}"
    return sum(float(line.rpartition(" ")[2]) for line in found)
