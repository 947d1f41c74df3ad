"""Pods without a node: each is said to be ready so many seconds after it was made, as its annotation asks.

The ReplicaSets and their counts are the cluster's own; only the kubelet's word is ours, so that 200 pods cost nothing.
"""

import threading
import time
from datetime import UTC, datetime

from kubernetes.client import ApiException, CoreV1Api
from urllib3.exceptions import HTTPError

from pipelines.kube import Cluster, KubeFailed
from tests.e2e.conformance.manifests import NAMESPACE, READY_AFTER, Object

POD = ("v1", "Pod")
_LOOK_SECONDS = 0.1
# A busy API server may answer late once.
_TRIES, _AGAIN_SECONDS = 5, 0.5


class Readiness:
    """Says of every pod of the namespace when it is ready, until it is ended. A context manager."""

    def __init__(self, kube: Cluster) -> None:
        self.kube, self.core = kube, CoreV1Api(kube.api)
        self.failed: list[str] = []
        self._due: dict[str, float] = {}
        self._tried: dict[str, int] = {}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._watch, self._tell)]

    def __enter__(self) -> "Readiness":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads[1].join(5)

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                for what, pod in self.kube.watch(POD, NAMESPACE, seconds=30):
                    if self._over.is_set():
                        return
                    self._seen(what, pod)
            except (KubeFailed, HTTPError, OSError):
                time.sleep(0.5)  # all that there is comes again

    def _seen(self, what: str, pod: Object) -> None:
        name, after = pod["metadata"]["name"], pod["metadata"].get("annotations", {}).get(READY_AFTER)
        if what == "ADDED" and after is not None and not pod.get("status", {}).get("conditions"):
            self._due.setdefault(name, time.monotonic() + float(after))

    def _tell(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            now = time.monotonic()
            for name in [each for each, due in list(self._due.items()) if due <= now]:
                del self._due[name]
                self._ready(name)

    def _ready(self, name: str) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": since} for kind in ("Ready", "ContainersReady")
        ]
        status = {"status": {"phase": "Running", "conditions": conditions}}
        try:
            self.core.patch_namespaced_pod_status(name, NAMESPACE, status)
        except (ApiException, HTTPError, OSError) as err:
            if getattr(err, "status", 0) == 404:
                return  # scaled down meanwhile
            self._tried[name] = self._tried.get(name, 0) + 1
            if self._tried[name] < _TRIES:
                self._due[name] = time.monotonic() + _AGAIN_SECONDS
            else:
                self.failed.append(f"{name}: {err}")
