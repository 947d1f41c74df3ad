"""The trap in `rollbackWindow`, on the real controller: a version that its gate stopped is promoted when restored.

Why releases have an attempt and why `apply` refuses: where this fails, Argo Rollouts has mended it. Applied here as
kubectl would, by nobody who looks; what Mainline does about it is stories/test_abort.
"""

from collections.abc import Iterator

import pytest

from pipelines.kube import ANALYSIS_RUN, ROLLOUT, Object
from tests.e2e.given import NAMESPACE, Cluster
from tests.e2e.waiting import NotYet, until

pytestmark = pytest.mark.e2e
PLACE = "e2e-trap"
HASH = "rollouts-pod-template-hash"
_SECONDS = 120


@pytest.fixture
def place(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, with a gate that passes and one that fails."""

    def look() -> None:
        if cluster.kube.get(NAMESPACE, PLACE) is not None:
            raise NotYet("the former one is on its way out")

    until(f"namespace {PLACE} is free", look, seconds=60)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE, "labels": labels}})
    for name, value in (("passes", 0), ("fails", 1)):
        cluster.kube.create(_gate(name, value))
    yield PLACE
    cluster.kube.delete(NAMESPACE, PLACE)


def test_an_aborted_template_that_is_restored_skips_its_gate(cluster: Cluster, place: str, image: str) -> None:
    _apply(cluster, image, version="a", attempt="1", gate="fails")
    assert _ended(cluster) == ("Healthy", 0), "the first deployment has no gate"
    _apply(cluster, image, version="b", attempt="1", gate="fails")
    assert _ended(cluster) == ("Degraded", 1), "its gate stops b"
    _apply(cluster, image, version="c", attempt="1", gate="passes")
    assert _ended(cluster) == ("Healthy", 1)

    _apply(cluster, image, version="b", attempt="1", gate="fails")
    assert _ended(cluster) == ("Healthy", 1), "b serves alone, and only the run that had stopped it was ever made"

    _apply(cluster, image, version="c", attempt="1", gate="passes")
    assert _ended(cluster) == ("Healthy", 2), "c is younger than b: that is no way back, so its gate is asked again"
    _apply(cluster, image, version="b", attempt="2", gate="fails")
    assert _ended(cluster) == ("Degraded", 1), "as another attempt it goes through its gate again, which stops it"


def _ended(cluster: Cluster) -> tuple[str, int]:
    """The Rollout's phase once it goes no further, and how many analyses its current revision has had."""

    def look() -> Object:
        found = cluster.kube.get(ROLLOUT, "trap", PLACE) or {}
        status = found.get("status", {})
        if status.get("observedGeneration") != str(found["metadata"]["generation"]):
            raise NotYet("not looked at yet")
        if status.get("phase") not in ("Healthy", "Degraded"):
            raise NotYet(f"{status.get('phase')} {status.get('message', '')}")
        return dict(status)

    status = until(f"Rollout {PLACE}/trap ends", look, seconds=_SECONDS, every=0.5)
    runs = cluster.kube.list(ANALYSIS_RUN, PLACE, labels=f"{HASH}={status['currentPodHash']}")
    return str(status["phase"]), len(runs)


def _apply(cluster: Cluster, image: str, *, version: str, attempt: str, gate: str) -> None:
    container = {
        "name": "serving",
        "image": image,
        "command": ["python", "-c", "import signal; signal.signal(15, lambda *_: exit()); signal.pause()"],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    template = {
        "metadata": {
            "labels": {"app": "trap"},
            "annotations": {"mainline.dev/version": version, "mainline.dev/attempt": attempt},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }
    spec = {
        "replicas": 1,
        "rollbackWindow": {"revisions": 3},
        "selector": {"matchLabels": {"app": "trap"}},
        "template": template,
        "strategy": {"canary": {"steps": [{"setWeight": 50}, {"analysis": {"templates": [{"templateName": gate}]}}]}},
    }
    metadata = {"name": "trap", "namespace": PLACE}
    manifest = {"apiVersion": ROLLOUT[0], "kind": "Rollout", "metadata": metadata, "spec": spec}
    cluster.kube.apply(manifest, manager="e2e", force=True)


def _gate(name: str, value: int) -> Object:
    prometheus = {"address": "http://prometheus.monitoring.svc:9090", "query": f"vector({value})"}
    conditions = {"successCondition": "result[0] == 0", "failureCondition": "result[0] != 0"}
    metric = {"name": name, "count": 1, "failureLimit": 0, "provider": {"prometheus": prometheus}, **conditions}
    metadata = {"name": name, "namespace": PLACE}
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate"}
    return {**kind, "metadata": metadata, "spec": {"metrics": [metric]}}
