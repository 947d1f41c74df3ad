"""Which pod had an address when: addresses are given again, and a pod that has ended keeps its own in its status."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from urllib3.exceptions import HTTPError

from pipelines.kube import Cluster, KubeFailed, Object
from tests.manifests.policies import Pod

POD = ("v1", "Pod")
# From the first packet of a pod until the API server knows its address, and from its end until the last is seen.
_GRACE_SECONDS = 5.0


@dataclass
class _Life:
    pod: Pod
    begun: float
    ended: float = float("inf")


class Lives:
    """The pods of all namespaces, watched from now on until it is ended."""

    def __init__(self, kube: Cluster) -> None:
        self.kube = kube
        self._lives: dict[str, _Life] = {}
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def end(self) -> None:
        """Watches no more."""
        self._over.set()

    def at(self, address: str, when: float) -> Pod | None:
        """The pod that had an address then; of two the younger."""
        found = [
            life
            for life in self._lives.values()
            if life.pod.address == address and life.begun - 1 <= when <= life.ended + _GRACE_SECONDS
        ]
        return max(found, key=lambda life: life.begun).pod if found else None

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                for what, item in self.kube.watch(POD, seconds=60):
                    if self._over.is_set():
                        return
                    self._hear(what, item)
            except (KubeFailed, HTTPError, OSError):
                time.sleep(1)

    def _hear(self, what: str, item: Object) -> None:
        metadata, status = item["metadata"], item.get("status", {})
        address = status.get("podIP", "")
        if not address or item["spec"].get("hostNetwork"):
            return
        begun = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
        life = self._lives.setdefault(metadata["uid"], _Life(_pod(item, address), begun))
        # labels change: Argo Rollouts writes some when it promotes
        life.pod = _pod(item, address)
        if life.ended == float("inf") and (what == "DELETED" or status.get("phase") in ("Succeeded", "Failed")):
            life.ended = _last_end(status) or time.time()


def _pod(item: Object, address: str) -> Pod:
    containers = item["spec"]["containers"]
    ports = {
        port["name"]: (int(port["containerPort"]), str(port.get("protocol", "TCP")))
        for container in containers
        for port in container.get("ports", ())
        if "name" in port
    }
    labels: Mapping[str, str] = item["metadata"].get("labels", {})
    return Pod(namespace=item["metadata"]["namespace"], labels=labels, ports=ports, address=address)


def _last_end(status: Object) -> float:
    """When the last container of a pod ended; 0 where that is not said."""
    states = [each.get("state", {}).get("terminated", {}) for each in status.get("containerStatuses", ())]
    times = [datetime.fromisoformat(each["finishedAt"]).timestamp() for each in states if each.get("finishedAt")]
    return max(times, default=0.0)
