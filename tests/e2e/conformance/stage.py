"""Where the cases are played: a namespace of their own, and the scripted server that the controller can reach.

The server runs in a pod where there is an image with Python; else on this host, at the address that
MAINLINE_CONFORMANCE_HOST says the controller reaches it by.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubernetes.client import CoreV1Api

from pipelines.kube import Cluster
from tests.e2e.conformance.answers import Answer
from tests.e2e.conformance.manifests import NAMESPACE, Object
from tests.e2e.conformance.server import PORT
from tests.e2e.waiting import NotYet, until

SERVER = Path(__file__).with_name("server.py")
NAMESPACE_KIND = ("v1", "Namespace")
CONTROLLER = "argo-rollouts"
_NAME = "scripted"
_EMPTY_SECONDS = 60.0
# An image that no node has yet is fetched first.
_READY_SECONDS = 180.0
Asked = list[tuple[str, float]]


@dataclass(frozen=True)
class Stage:
    """A namespace with a server in it; `log` is where the server on this host writes, if it is there."""

    kube: Cluster
    address: str
    log: Path | None = None

    def asked(self) -> Asked:
        """Path and time of each request so far."""
        if self.log is not None:
            text = self.log.read_text(encoding="utf-8")
        else:
            text = CoreV1Api(self.kube.api).read_namespaced_pod_log(_NAME, NAMESPACE)
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [(line["path"], line["at"]) for line in lines]


@contextmanager
def on_host(kube: Cluster, host: str, script: dict[str, list[Answer]], folder: Path) -> Iterator[Stage]:
    """A stage whose server is a process here; `host` is this machine for the controller."""
    (folder / "script.json").write_text(json.dumps(script), encoding="utf-8")
    log = folder / "asked.jsonl"
    with log.open("w", encoding="utf-8") as out:
        command = [sys.executable, str(SERVER), str(folder / "script.json"), str(PORT + 1)]
        process = subprocess.Popen(command, stdout=out)
        try:
            with _namespace(kube):
                yield Stage(kube, f"http://{host}:{PORT + 1}", log)
        finally:
            process.terminate()
            process.wait(5)


@contextmanager
def in_cluster(kube: Cluster, image: str, script: dict[str, list[Answer]]) -> Iterator[Stage]:
    """A stage whose server is a pod of `image`, which must have Python."""
    with _namespace(kube):
        for each in _server(image, script):
            kube.create(each)
        with _opening(kube):
            until("the scripted server", lambda: _ready(kube), seconds=_READY_SECONDS, every=0.5)
            yield Stage(kube, f"http://{_NAME}.{NAMESPACE}.svc:{PORT}")


@contextmanager
def _namespace(kube: Cluster) -> Iterator[None]:
    """Empty, and gone afterwards."""
    kube.delete(NAMESPACE_KIND, NAMESPACE)
    until(f"namespace {NAMESPACE} empty", lambda: _gone(kube), seconds=_EMPTY_SECONDS)
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    try:
        yield
    finally:
        kube.delete(NAMESPACE_KIND, NAMESPACE)


@contextmanager
def _opening(kube: Cluster) -> Iterator[None]:
    """The controller may ask this namespace while the cases are played, where policies keep it from others."""
    kind = ("networking.k8s.io/v1", "NetworkPolicy")
    egress = [{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}]}]
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}
    metadata = {"name": NAMESPACE, "namespace": CONTROLLER}
    kube.create({"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": spec})
    try:
        yield
    finally:
        kube.delete(kind, NAMESPACE, CONTROLLER)


def _server(image: str, script: dict[str, list[Answer]]) -> list[Object]:
    metadata = {"name": _NAME, "namespace": NAMESPACE, "labels": {"app": _NAME}}
    container = {
        "name": _NAME,
        "image": image,
        "command": ["python", "/script/server.py", "/script/script.json"],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "script", "mountPath": "/script"}],
    }
    pod = {
        "containers": [container],
        "volumes": [{"name": "script", "configMap": {"name": _NAME}}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
    }
    files = {"server.py": SERVER.read_text(encoding="utf-8"), "script.json": json.dumps(script)}
    service = {"selector": {"app": _NAME}, "ports": [{"port": PORT}]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    ]


def _ready(kube: Cluster) -> None:
    pod = kube.get(("v1", "Pod"), _NAME, NAMESPACE) or {}
    conditions = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", [])}
    if conditions.get("Ready") != "True":
        raise NotYet(json.dumps(pod.get("status", {}).get("containerStatuses", "no container yet"))[:300])
    # kube-proxy follows the endpoints a moment later
    time.sleep(1)


def _gone(kube: Cluster) -> None:
    if kube.get(NAMESPACE_KIND, NAMESPACE) is not None:
        raise NotYet("still there")
