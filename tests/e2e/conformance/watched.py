"""What a cluster says of its objects while cases are played: every state of each, in order."""

import threading
import time

from urllib3.exceptions import HTTPError

from pipelines.kube import Cluster, KubeFailed
from tests.e2e.conformance.manifests import NAMESPACE, Object

# When it was heard, and the object.
State = tuple[float, Object]


class Watched:
    """The objects of a kind in the cases' namespace, heard from now on."""

    def __init__(self, kube: Cluster, kind: tuple[str, str]) -> None:
        self.kube, self.kind = kube, kind
        self.states: dict[str, list[State]] = {}
        self._told: dict[str, int] = {}
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def end(self) -> None:
        """Listen no more."""
        self._over.set()

    def latest(self, name: str) -> Object | None:
        """How it stands."""
        states = self.states.get(name)
        return states[-1][1] if states else None

    def since(self, name: str) -> list[State]:
        """The states that were not asked for before."""
        begin, states = self._told.get(name, 0), self.states.get(name, [])
        self._told[name] = len(states)
        return states[begin:]

    def of(self, owner: str) -> dict[str, list[State]]:
        """All states of each object that `owner` owns, by name; the oldest object first."""
        found = {name: states for name, states in list(self.states.items()) if owner in _owners(states[-1][1])}
        order = {
            name: (states[-1][1]["metadata"]["creationTimestamp"], _ordinal(name)) for name, states in found.items()
        }
        return dict(sorted(found.items(), key=lambda each: order[each[0]]))

    def owned(self, owner: str) -> list[Object]:
        """The latest state of each object that `owner` owns, oldest first."""
        return [states[-1][1] for states in self.of(owner).values()]

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                for what, item in self.kube.watch(self.kind, NAMESPACE, seconds=60):
                    if self._over.is_set():
                        return
                    states = self.states.setdefault(item["metadata"]["name"], [])
                    if what != "DELETED" and (not states or states[-1][1] != item):
                        states.append((time.time(), item))
            except (KubeFailed, HTTPError, OSError):
                time.sleep(0.5)


def _made(states: list[State]) -> str:
    return str(states[0][1]["metadata"]["creationTimestamp"])


def _owners(item: Object) -> list[str]:
    return [str(each["name"]) for each in item["metadata"].get("ownerReferences", [])]


def _ordinal(name: str) -> tuple[int, ...]:
    """Analyses of one rollout in their order: `name-hash-revision-step`, without a step beside them all."""
    return tuple(int(part) for part in name.split("-")[2:] if part.isdigit())
