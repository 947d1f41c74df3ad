"""Waits until Deployments are available, says how it goes, and says why where they never are.

The reason is looked for where a person would look: the pods' own states, the events about them, the last lines of
their logs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.errors import MainlineError
from pipelines.cluster.kubectl import Kubectl, KubectlFailed

Say = Callable[[str], None]
Object = Mapping[str, Any]
_PAUSE_SECONDS = 1.0
_LOG_LINES = 12
_EVENTS = 6
# States that do not mend themselves; an image may still be on its way for a while.
_HOPELESS = (
    "CreateContainerConfigError",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CrashLoopBackOff",
    "ImagePullBackOff",
)
_HOPELESS_AFTER_SECONDS = 60.0


class NotReady(MainlineError):  # noqa: N818  (the domain's word)
    """A part of the platform did not become available; the message says what its pods say."""


def wait_available(kubectl: Kubectl, deployments: Sequence[tuple[str, str]], *, seconds: float, say: Say) -> None:
    """Returns when every Deployment (namespace, name) has its replicas available and up to date.

    Raises:
        NotReady: one is not after `seconds`, or none of its pods can be without a change.
    """
    start, said, hopeless = time.monotonic(), "", 0.0
    while True:
        waiting = _waiting(kubectl, deployments)
        if not waiting:
            return
        now = time.monotonic()
        text = ", ".join(f"{namespace}/{name}" for namespace, name in waiting)
        if text != said:
            say(f"waiting for {text}")
            said = text
        stuck = [each for each in waiting if _is_hopeless(_pods(kubectl, *each))]
        hopeless = (hopeless or now) if stuck else 0.0
        if hopeless and now - hopeless > _HOPELESS_AFTER_SECONDS:
            raise NotReady("\n".join(explain(kubectl, *each) for each in stuck))
        if now - start > seconds:
            reasons = "\n".join(explain(kubectl, *each) for each in waiting)
            raise NotReady(f"not available after {seconds:.0f} s:\n{reasons}")
        time.sleep(_PAUSE_SECONDS)


def explain(kubectl: Kubectl, namespace: str, name: str) -> str:
    """Why a Deployment is not available, as its pods, their events and their logs say it."""
    lines = [f"deployment {namespace}/{name}:"]
    pods = _pods(kubectl, namespace, name)
    if not pods:
        return "\n".join([*lines, *_events(kubectl, namespace, name), "  it has no pods"])
    for pod in pods:
        pod_name = pod["metadata"]["name"]
        lines += [f"  pod {pod_name}: {state}" for state in _states(pod) or ["not ready"]]
        lines += _events(kubectl, namespace, pod_name)
        lines += _log(kubectl, namespace, pod_name)
    return "\n".join(lines)


def _waiting(kubectl: Kubectl, deployments: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    found = {(d["metadata"]["namespace"], d["metadata"]["name"]): d for d in _items(kubectl, "deployments")}
    return [each for each in deployments if each not in found or not _is_available(found[each])]


def _is_available(deployment: Object) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counts = (status.get("updatedReplicas", 0), status.get("availableReplicas", 0), status.get("replicas", 0))
    return seen and counts == (wanted, wanted, wanted)


def _pods(kubectl: Kubectl, namespace: str, name: str) -> list[Object]:
    """Pods of the Deployment's newest ReplicaSet, which its name begins with."""
    owned = [
        pod
        for pod in _items(kubectl, "pods", "-n", namespace)
        if any(
            owner["kind"] == "ReplicaSet" and owner["name"].rpartition("-")[0] == name
            for owner in pod["metadata"].get("ownerReferences", [])
        )
    ]
    return [pod for pod in owned if "deletionTimestamp" not in pod["metadata"]]


def _is_hopeless(pods: Sequence[Object]) -> bool:
    return any(word in state for pod in pods for state in _states(pod) for word in _HOPELESS)


def _states(pod: Object) -> list[str]:
    """What the pod and its containers wait for or died of."""
    status = pod.get("status", {})
    found = [
        f"{condition['reason']}: {condition.get('message', '')}"
        for condition in status.get("conditions", [])
        if condition["type"] == "PodScheduled" and condition["status"] != "True" and "reason" in condition
    ]
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        for state in (container.get("state", {}), container.get("lastState", {})):
            for kind in ("waiting", "terminated"):
                said = state.get(kind)
                if said and said.get("reason") != "Completed":
                    text = f"{said.get('reason', kind)} {said.get('message', '')}".strip()
                    found.append(f"container {container['name']} {kind}: {text}")
    return found


def _events(kubectl: Kubectl, namespace: str, name: str) -> list[str]:
    field = f"--field-selector=involvedObject.name={name},type=Warning"
    found = _items(kubectl, "events", "-n", namespace, field)
    return [f"    event: {event.get('reason')}: {event.get('message')}" for event in found[-_EVENTS:]]


def _log(kubectl: Kubectl, namespace: str, pod: str) -> list[str]:
    try:
        text = kubectl.run("-n", namespace, "logs", pod, "--all-containers", f"--tail={_LOG_LINES}")
    except KubectlFailed as err:
        return [f"    no log: {str(err).splitlines()[-1]}"]
    return [f"    log: {line}" for line in text.splitlines()]


def _items(kubectl: Kubectl, kind: str, *arguments: str) -> list[Object]:
    return kubectl.items(kind, *arguments)
