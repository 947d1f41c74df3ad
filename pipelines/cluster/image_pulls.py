"""Large images are on every node of a development cluster before anybody waits for them.

The first pod of an image waits for its pull: a minute for the trainer, which a person would take for the loop's own. A
DaemonSet whose containers do nothing makes every node pull them, and goes again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.cluster.kubectl import Kubectl

NAME, NAMESPACE = "image-pulls", "delivery"
_CLOSED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_SMALL = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "mainline"}
_TIMEOUT = "900s"


def start_pulls(kubectl: Kubectl, images: Sequence[str]) -> bool:
    """Has every node pull the images; False where each has them already."""
    nodes = kubectl.items("nodes")
    wanted = sorted(set(images))
    if all(_has(node, image) for node in nodes for image in wanted):
        return False
    kubectl.apply([pulling(wanted)])
    return True


def finish_pulls(kubectl: Kubectl) -> None:
    """Returns when every node has them, and takes the DaemonSet away."""
    kubectl.run("-n", NAMESPACE, "rollout", "status", f"daemonset/{NAME}", f"--timeout={_TIMEOUT}")
    kubectl.run("-n", NAMESPACE, "delete", "daemonset", NAME, "--wait=false")


def pulling(images: Sequence[str]) -> Mapping[str, object]:
    """The DaemonSet: one container an image, each of which ends (or waits) at once."""
    pod = {
        "serviceAccountName": "dispatch",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        # also nodes that only certain pods may use: theirs are these images
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [_container(f"image-{n}", image, "pass") for n, image in enumerate(images)],
        "containers": [_container("done", images[0], "import time; time.sleep(86400)")],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }


def _container(name: str, image: str, code: str) -> dict[str, object]:
    command = ["python", "-c", code]
    return {"name": name, "image": image, "command": command, "resources": _SMALL, "securityContext": _CLOSED}


def _has(node: Mapping[str, Any], image: str) -> bool:
    return any(image in held.get("names", []) for held in node["status"].get("images", []))
