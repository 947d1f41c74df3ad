"""What of an overlay is sent to a cluster: its objects with the fields that others own there, in order; what has to go.

Pure; `apply` speaks to the cluster. A field of a live object has one owner: Argo Rollouts writes the pods' hash into
the selectors of the Services that a Rollout names and the weights into its TraefikService, an autoscaler the number of
pods. Git says none of them, and must not take them away.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Object = dict[str, Any]
Kind = tuple[str, str]

MANAGER = "mainline-apply"
OVERLAY = "mainline.dev/overlay"
POD_TEMPLATE_HASH = "rollouts-pod-template-hash"

# Argo Rollouts, and what writes an autoscaler's number.
_CONTROLLERS = {"rollouts-controller", "kube-controller-manager"}
# As the API server words a conflict, for one field or for several.
_MANAGER = re.compile(r'conflicts? with "([^"]+)"')

# What may be deleted when it leaves git. Never what holds data (claims, namespaces), never what answers requests (a
# Rollout): that is a person's decision.
PRUNED: tuple[Kind, ...] = (
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("argoproj.io/v1alpha1", "AnalysisTemplate"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
)
# The same, where the cluster has what defines them.
PRUNED_OPTIONAL: tuple[Kind, ...] = (
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("traefik.io/v1alpha1", "IngressRoute"),
    ("traefik.io/v1alpha1", "TraefikService"),
)
# A Rollout needs its Services and AnalysisTemplates, an autoscaler its Rollout.
_LATER = {"Rollout": 1, "HorizontalPodAutoscaler": 2, "ScaledObject": 2}
_SERVICES = (("canary", "stableService"), ("canary", "canaryService"), ("blueGreen", "activeService"),
             ("blueGreen", "previewService"))  # fmt: skip
# Written by the server at every change, so no difference.
_OF_THE_SERVER = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")


def ordered(objects: Sequence[Mapping[str, Any]], overlay: str) -> list[Object]:
    """The objects in the order of sending, each labelled with the overlay that it belongs to."""
    labelled = [copy.deepcopy(dict(item)) for item in objects]
    for item in labelled:
        item["metadata"]["labels"] = {**(item["metadata"].get("labels") or {}), OVERLAY: overlay}
    return sorted(labelled, key=lambda item: _LATER.get(str(item["kind"]), 0))


def managed_services(objects: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names of the Services whose selectors Argo Rollouts writes."""
    found = set()
    for item in objects:
        if item.get("kind") == "Rollout":
            strategy = item["spec"].get("strategy") or {}
            found |= {(strategy.get(way) or {}).get(role) for way, role in _SERVICES}
    return {str(name) for name in found if name}


def with_owners(desired: Mapping[str, Any], live: Mapping[str, Any] | None, *, services: set[str]) -> Object:
    """The object to send: as git says it, and as the cluster has it where another owns the field.

    Args:
        desired: as git says it.
        live: as the cluster has it; None where it has none.
        services: names of the Services that Argo Rollouts manages.
    """
    sent = copy.deepcopy(dict(desired))
    if live is None:
        return sent
    if sent["kind"] == "Service" and sent["metadata"]["name"] in services:
        # A selector has one owner as a whole: repeated with the hash, it stays; left out, it would be removed.
        found = (live.get("spec") or {}).get("selector") or {}
        if POD_TEMPLATE_HASH in found:
            sent["spec"]["selector"] = {**sent["spec"]["selector"], POD_TEMPLATE_HASH: found[POD_TEMPLATE_HASH]}
    if sent["kind"] == "TraefikService":
        # The list has one owner as a whole too: git's weights are those of the beginning.
        found = ((live.get("spec") or {}).get("weighted") or {}).get("services") or []
        weights = {each["name"]: each["weight"] for each in found if "weight" in each}
        for each in (sent["spec"].get("weighted") or {}).get("services") or []:
            each.update({"weight": weights[each["name"]]} if each["name"] in weights else {})
    if sent["kind"] == "Rollout" and "replicas" not in sent["spec"] and _owns_replicas(live):
        # Git said a number until now: left out, the Rollout would fall to one pod before an autoscaler has it.
        sent["spec"]["replicas"] = live["spec"]["replicas"]
    return sent


def of_controller(item: Mapping[str, Any], conflict: str) -> bool:
    """Whether a conflict over a Rollout is with its controllers alone, which is none: git says what holds.

    Argo Rollouts stores the whole object where it notes the revision, with `"20"` for `20` and fields in its own form:
    the API server then takes it for their owner. An autoscaler that left git leaves its number behind.
    """
    managers = set(_MANAGER.findall(conflict))
    return item["kind"] == "Rollout" and bool(managers) and managers <= _CONTROLLERS


def differs(live: Mapping[str, Any] | None, merged: Mapping[str, Any]) -> bool:
    """Whether sending changes anything: `merged` is what the server says it would have then."""
    return live is None or _compared(live) != _compared(merged)


def rolls_out(live: Mapping[str, Any] | None, merged: Mapping[str, Any]) -> bool:
    """Whether sending a Rollout starts one: other pods, or other steps (which also ends an abort)."""
    if live is None:
        return True
    return any(live["spec"].get(part) != merged["spec"].get(part) for part in ("template", "strategy"))


def strays(desired: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The objects of the overlay that a cluster has and git has not."""
    wanted = {identity(item) for item in desired}
    yield from (item for item in found if identity(item) not in wanted)


def identity(item: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and name, whatever the version of the API."""
    return str(item["kind"]), str(item["metadata"]["name"])


def kind_of(item: Mapping[str, Any]) -> Kind:
    """apiVersion and kind."""
    return str(item["apiVersion"]), str(item["kind"])


def _compared(item: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = {key: value for key, value in item["metadata"].items() if key not in _OF_THE_SERVER}
    return {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}


def _owns_replicas(live: Mapping[str, Any]) -> bool:
    entries = live["metadata"].get("managedFields") or []
    ours = [entry for entry in entries if entry.get("manager") == MANAGER and entry.get("operation") == "Apply"]
    return any("f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}) for entry in ours)
