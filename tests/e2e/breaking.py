"""What the fault stories do to a cluster, each undone when its `with` ends: take away a part, a pod, a node."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.kube import Object
from tests.e2e.given import DEPLOYMENT, NODE, OURS, POD, ROOT, Cluster, is_ready, kubeconfig
from tests.e2e.waiting import NotYet, say, until

_SCRIPT = ROOT / "tests" / "e2e" / "cluster" / "cluster.sh"
_BACK_SECONDS = 180


@contextmanager
def gone(cluster: Cluster, namespace: str, deployment: str) -> Iterator[None]:
    """A Deployment without pods; afterwards as many as before, available."""
    before = _deployment(cluster, namespace, deployment)["spec"].get("replicas", 1)
    _scale(cluster, namespace, deployment, 0)
    try:
        yield
    finally:
        _scale(cluster, namespace, deployment, before)


def restart(cluster: Cluster, namespace: str, deployment: str) -> None:
    """Its pods are killed without notice; returns when new ones are available."""
    former = _pods_of(cluster, namespace, deployment)
    for pod in former:
        kill(cluster, pod)
    names = {pod["metadata"]["name"] for pod in former}

    def look() -> None:
        others = [pod for pod in _pods_of(cluster, namespace, deployment) if pod["metadata"]["name"] not in names]
        if not any(is_ready(pod) for pod in others):
            raise NotYet(f"{len(others)} other pods, none ready")

    # its status still counts those that were killed
    until(f"{namespace}/{deployment} has another pod", look, seconds=_BACK_SECONDS)
    _wait_available(cluster, namespace, deployment)


def kill(cluster: Cluster, pod: Object) -> None:
    """A pod that ends without a grace period: no preStop, no draining."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    cluster.kubectl("delete", "pod", name, "--namespace", namespace, "--grace-period=0", "--force", "--wait=false")
    say(f"killed {namespace}/{name} on {pod['spec'].get('nodeName')}")


@contextmanager
def lost(cluster: Cluster, node: str) -> Iterator[None]:
    """A node that is gone without notice, of a cluster that was built from source; afterwards it is back and ready.

    Skips on any other cluster: nobody may switch off its machines.
    """
    home, number = _ours(), node.rpartition("-")[2]
    _source(home, "lose", number)
    say(f"lost {node}")
    try:
        yield
    finally:
        _source(home, "node", number)

        def look() -> None:
            found = cluster.kube.get(NODE, node) or {"status": {"conditions": []}}
            ready = [each["status"] for each in found["status"]["conditions"] if each["type"] == "Ready"]
            if ready != ["True"]:
                raise NotYet(f"Ready: {ready}")

        until(f"{node} is back", look, seconds=_BACK_SECONDS)


def _ours() -> Path:
    """Where the cluster's own files lie; the tests' own XDG_CACHE_HOME would lead elsewhere."""
    record = OURS / "cluster.json"
    told = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    if told.get("provider") != "source" or kubeconfig().resolve() != (OURS / "kubeconfig").resolve():
        pytest.skip("this cluster's nodes are not ours to switch off: only those of the source provider are")
    return Path(told["kubeconfig"]).parents[1]


def _source(home: Path, *arguments: str) -> None:
    environment = {**os.environ, "MAINLINE_CLUSTER_DIR": str(home)}
    done = subprocess.run(
        [str(_SCRIPT), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, f"cluster.sh {' '.join(arguments)}: {done.stderr[-2000:]}"


def _scale(cluster: Cluster, namespace: str, deployment: str, replicas: int) -> None:
    cluster.kube.merge(DEPLOYMENT, deployment, namespace, {"spec": {"replicas": replicas}})
    if replicas:
        _wait_available(cluster, namespace, deployment)
        return

    def look() -> None:
        left = _pods_of(cluster, namespace, deployment)
        if left:
            raise NotYet(f"{len(left)} pods are left")

    until(f"{namespace}/{deployment} is gone", look, seconds=90)


def _wait_available(cluster: Cluster, namespace: str, deployment: str) -> None:
    def look() -> None:
        found = _deployment(cluster, namespace, deployment)
        status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            raise NotYet("not looked at yet")
        if status.get("availableReplicas", 0) != wanted or status.get("unavailableReplicas", 0):
            raise NotYet(f"{status.get('availableReplicas', 0)} of {wanted} available")

    until(f"{namespace}/{deployment} is available", look, seconds=_BACK_SECONDS)


def _deployment(cluster: Cluster, namespace: str, name: str) -> Object:
    found = cluster.kube.get(DEPLOYMENT, name, namespace)
    assert found is not None, f"there is no Deployment {namespace}/{name}"
    return found


def _pods_of(cluster: Cluster, namespace: str, deployment: str) -> list[Object]:
    """All of them, those on their way out too."""
    wanted = _deployment(cluster, namespace, deployment)["spec"]["selector"]["matchLabels"]
    return cluster.kube.list(POD, namespace, labels=",".join(f"{key}={value}" for key, value in wanted.items()))
