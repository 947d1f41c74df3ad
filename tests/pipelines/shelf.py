"""A cluster that is a dictionary: what the tests of applying and of rollouts' ends need of an API server.

It merges what is applied as server-side apply does for objects without lists of ours: fields given are set, fields of
the same manager that are no longer given go. What a real server refuses is the e2e suite's to show.
"""

import copy
from collections.abc import Mapping
from typing import Any, cast

from pipelines.kube import Cluster, KubeRefused, Object

Key = tuple[str, str, str]


class Shelf:
    """Objects by kind, namespace and name; `calls` lists what was written."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.calls: list[str] = []
        self.conflicts: set[str] = set()
        self._given: dict[tuple[Key, str], Mapping[str, Any]] = {}

    def as_cluster(self) -> Cluster:
        return cast(Cluster, self)

    def put(self, item: Mapping[str, Any]) -> None:
        """As somebody else writes it."""
        self.objects[_key(item)] = copy.deepcopy(dict(item))

    def get(self, kind: tuple[str, str], name: str, namespace: str = "") -> Object | None:
        return copy.deepcopy(self.objects.get((kind[1], namespace, name)))

    def list(self, kind: tuple[str, str], namespace: str = "", *, labels: str = "") -> list[Object]:
        wanted = dict(part.split("=") for part in labels.split(",") if "=" in part)
        keys = [part for part in labels.split(",") if part and "=" not in part]
        found = []
        for (word, where, _), item in sorted(self.objects.items()):
            have = item["metadata"].get("labels") or {}
            matches = wanted.items() <= have.items() and all(key in have for key in keys)
            if word == kind[1] and where == (namespace or where) and matches:
                found.append(copy.deepcopy(item))
        return found

    def create(self, manifest: Mapping[str, Any]) -> bool:
        if _key(manifest) in self.objects:
            return False
        self.put(manifest)
        self.calls.append(f"create {_said(manifest)}")
        return True

    def apply(self, manifest: Mapping[str, Any], *, manager: str, force: bool = False, dry_run: bool = False) -> Object:
        key = _key(manifest)
        if _said(manifest) in self.conflicts:
            raise KubeRefused(f"apply {_said(manifest)}: 409 Conflict: .spec.x is kubectl-edit's", 409)
        merged = copy.deepcopy(self.objects.get(key, {}))
        _drop(merged, self._given.get((key, manager), {}), manifest)
        _merge(merged, manifest)
        if not dry_run:
            self.objects[key] = merged
            self._given[key, manager] = copy.deepcopy(manifest)
            self.calls.append(f"apply {_said(manifest)}")
        return copy.deepcopy(merged)

    def delete(self, kind: tuple[str, str], name: str, namespace: str = "") -> bool:
        self.calls.append(f"delete {kind[1]} {name}")
        return self.objects.pop((kind[1], namespace, name), None) is not None


def _merge(into: dict[str, Any], given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = copy.deepcopy(value)


def _drop(into: dict[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key, value in before.items():
        if key not in now:
            into.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(now[key], Mapping):
            _drop(into.get(key, {}), value, now[key])


def _key(item: Mapping[str, Any]) -> Key:
    return str(item["kind"]), str(item["metadata"].get("namespace", "")), str(item["metadata"]["name"])


def _said(item: Mapping[str, Any]) -> str:
    return f"{item['kind']} {item['metadata']['name']}"
