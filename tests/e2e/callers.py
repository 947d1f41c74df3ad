"""Steady traffic in the cluster: a pod of load.py for each model, in a namespace of the suite's own."""

import gzip
import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from models.rows import decode
from pipelines.kube import KubeFailed, Object
from pipelines.rehearsal.simulate.pool import load_features, traffic_rows
from tests.e2e.given import NAMESPACE, POD, Cluster, is_ready
from tests.e2e.traffic import LOAD_NAMESPACE, PORT, Traffic
from tests.e2e.waiting import NotYet, say, until

SCRIPT = Path(__file__).with_name("load.py")
# Distinct ones, above each gate's minimum; as JSON and compressed below a ConfigMap's megabyte.
ROWS = 1500
# As the specimens' windows: a quarter of it in half a minute is what the gates' minimum asks for.
RATE = 100.0


class Callers:
    """Starts and stops traffic; one for a suite."""

    def __init__(self, cluster: Cluster, image: str) -> None:
        self.cluster, self.image = cluster, image
        self._running: dict[str, Traffic] = {}
        self._drift: dict[str, float] = {}

    def start(self, model: str, *, environment: str = "production", rate: float = RATE, drift: float = 0.0) -> Traffic:
        """Calls a model's service with rows like its table's, drifted by so many standard deviations.

        The same again where it runs already, at this rate; other callers of that service end.
        """
        name = f"{model}-{environment}"
        if name in self._running and self._drift[name] == drift:
            self._running[name].rate(rate)
            return self._running[name]
        self._drift[name] = drift
        return self.to(name, f"http://serving.{model}-{environment}.svc/predict", bodies(model, drift), rate=rate)

    def to(self, name: str, url: str, rows: bytes, *, rate: float = RATE, at: str = "") -> Traffic:
        """Calls any URL with such bodies (gzipped, one a line), `at` an address where no name server knows its host."""
        self.prepare()
        self.stop(name)
        content = {"load.py": b64encode(SCRIPT.read_bytes()).decode(), "rows.gz": b64encode(rows).decode()}
        metadata = {"name": name, "namespace": LOAD_NAMESPACE}
        script = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": content}
        self.cluster.kube.apply(script, manager="e2e", force=True)
        pod = _pod(name, self.image, ["python", "/load/load.py", url, "/load/rows.gz", f"{rate:g}"])
        if at:
            pod["spec"]["hostAliases"] = [{"ip": at, "hostnames": [urlsplit(url).hostname]}]
        self.cluster.kube.create(pod)
        traffic = Traffic(self.cluster, name)

        def look() -> int:
            pod = self.cluster.kube.get(POD, name, LOAD_NAMESPACE)
            if pod is None or not is_ready(pod):
                raise NotYet(str(pod and pod.get("status", {}).get("phase")))
            return traffic.mark()

        until(f"callers of {name}", look, seconds=90)
        self._running[name] = traffic
        return traffic

    def stop(self, name: str) -> None:
        """Ends one; what it counted is gone with it."""
        self._running.pop(name, None)
        self.cluster.kubectl(
            "delete", "pod", name, "--namespace", LOAD_NAMESPACE, "--ignore-not-found", "--grace-period=0", "--force"
        )

    def close(self) -> None:
        """Ends all, and the namespace with them."""
        for name, traffic in self._running.items():
            try:
                say(f"callers of {name}: {traffic.counts()}")
            except KubeFailed as err:
                say(f"callers of {name}: {err}")
        self._running.clear()
        self.cluster.kube.delete(NAMESPACE, LOAD_NAMESPACE)

    def prepare(self) -> None:
        """The namespace that the callers are in; serving's policy lets it in by its label."""
        labels = {"mainline.dev/client": "true", "pod-security.kubernetes.io/enforce": "restricted"}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LOAD_NAMESPACE, "labels": labels}}

        def look() -> None:
            found = self.cluster.kube.get(NAMESPACE, LOAD_NAMESPACE)
            if found is not None and "deletionTimestamp" in found["metadata"]:
                raise NotYet("the former one is on its way out")
            self.cluster.kube.apply(namespace, manager="e2e", force=True)

        until(f"namespace {LOAD_NAMESPACE}", look, seconds=60)


def rows(model: str, drift: float = 0.0, count: int = ROWS) -> list[dict[str, object]]:
    """Rows of a model as its callers send them, from a fixed seed."""
    return decode(traffic_rows(model, drift, count, np.random.default_rng(0)), load_features(model))


def bodies(model: str, drift: float = 0.0) -> bytes:
    """The same as load.py reads them: gzipped, one a line."""
    return gzip.compress(b"\n".join(json.dumps(row).encode() for row in rows(model, drift)), mtime=0)


def _pod(name: str, image: str, command: list[str]) -> Object:
    container = {
        "name": "load",
        "image": image,
        "command": command,
        "ports": [{"containerPort": PORT, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "load", "mountPath": "/load"}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "load", "configMap": {"name": name}}],
    }
    metadata = {"name": name, "namespace": LOAD_NAMESPACE, "labels": {"app.kubernetes.io/name": "load"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
