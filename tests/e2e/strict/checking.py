"""Objects put to an API server as if to be applied, with strict validation: nothing is stored.

All that belongs to a namespace is put into one of the test's own, so that it does not matter what is installed. A kind
that the cluster lacks is judged by the same definition under a group of the test's own.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines.kube import Cluster, KubeFailed, KubeRefused
from tests.e2e.strict.built import Object
from tests.e2e.waiting import NotYet, until

NAMESPACE = "strict"
OWN_GROUP = "strict.mainline.dev"
MANAGER = "strict"
_NAMESPACE = ("v1", "Namespace")
_DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_WHOLE_CLUSTER = ("Namespace", "ClusterRole", "ClusterRoleBinding", "APIService", "PriorityClass", "IngressClass")
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Checking:
    """An API server with a namespace for these tests; `borrowed` are groups whose definitions the test brought."""

    kube: Cluster
    borrowed: Mapping[str, str] = field(default_factory=dict)

    def refusal(self, item: Object) -> str:
        """Why the server would not take an object; empty where it would."""
        try:
            self.kube.apply(self._placed(item), manager=MANAGER, force=True, dry_run=True)
        except KubeFailed as err:
            # what is of no type at all ("x" processors) is an answer of the server's own kind
            if not isinstance(err, KubeRefused) and "unable to convert" not in str(err):
                raise
            return str(err)
        return ""

    def _placed(self, item: Object) -> dict[str, Any]:
        placed = copy.deepcopy(dict(item))
        group, _, version = str(item["apiVersion"]).rpartition("/")
        placed["apiVersion"] = f"{self.borrowed[group]}/{version}" if group in self.borrowed else item["apiVersion"]
        if item["kind"] not in _WHOLE_CLUSTER:
            placed["metadata"]["namespace"] = NAMESPACE
        return placed


@contextmanager
def checking(kube: Cluster, definitions: Sequence[Object]) -> Iterator[Checking]:
    """A namespace, and what is missing of these definitions of kinds under another group; both gone afterwards."""
    missing = [each for each in definitions if kube.get(_DEFINITION, each["metadata"]["name"]) is None]
    own = [_renamed(each) for each in missing]
    try:
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        for each in own:
            kube.apply(each, manager=MANAGER, force=True)
        until("the definitions of kinds", lambda: _established(kube, own), seconds=_READY_SECONDS, every=0.2)
        yield Checking(kube, {each["spec"]["group"]: f"{each['spec']['group']}.{OWN_GROUP}" for each in missing})
    finally:
        for each in own:
            kube.delete(_DEFINITION, each["metadata"]["name"])
        kube.delete(_NAMESPACE, NAMESPACE)


def places(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every mapping in an object, the object itself first."""
    if isinstance(node, dict):
        yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))


def misspelt(item: Object, path: tuple[str | int, ...]) -> Object:
    """The object with a field that nobody knows in the mapping at a path."""
    found = copy.deepcopy(dict(item))
    node: Any = found
    for key in path:
        node = node[key]
    node["misspelt"] = "x"
    return found


def _renamed(definition: Object) -> Object:
    """The same definition in a group of the test's own."""
    spec = copy.deepcopy(definition["spec"])
    spec["group"] = f"{spec['group']}.{OWN_GROUP}"
    # what is stored in an older version is nobody's here
    spec.pop("conversion", None)
    metadata = {"name": f"{spec['names']['plural']}.{spec['group']}"}
    return {"apiVersion": _DEFINITION[0], "kind": _DEFINITION[1], "metadata": metadata, "spec": spec}


def _established(kube: Cluster, definitions: Sequence[Object]) -> None:
    for name in (each["metadata"]["name"] for each in definitions):
        found = kube.get(_DEFINITION, name) or {}
        conditions = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", [])}
        if conditions.get("Established") != "True":
            raise NotYet(f"{name}: {conditions}")
