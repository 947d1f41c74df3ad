"""Puts the large images onto every node before anybody waits for them: a first training, a canary, a promotion.

A DaemonSet whose init containers run something trivial of each image: what a cluster of any kind understands. It is
begun while the platform is installed and removed when every node has them.
"""

from collections.abc import Mapping, Sequence

from pipelines.cluster.kubectl import Kubectl
from pipelines.cluster.phases import Object

NAME, NAMESPACE = "mainline-images", "default"
# 1.5 GB a node, all nodes at once, on a busy machine
_SECONDS = 600
_UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_RESOURCES = {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}}


def begin(kubectl: Kubectl, images: Mapping[str, str], versions: Mapping[str, str]) -> None:
    """Starts it.

    Args:
        images: `trainer` and `serving`, by digest.
        versions: of versions.env: Argo's executor runs beside every step.
    """
    executor = f"quay.io/argoproj/argoexec:v{versions['ARGO_WORKFLOWS_VERSION']}"
    kubectl.apply(
        [
            daemon_set(
                [(images["serving"], ["true"]), (images["trainer"], ["true"]), (executor, ["argoexec", "version"])]
            )
        ]
    )


def finish(kubectl: Kubectl) -> None:
    """Waits until every node has them, and removes it.

    Raises:
        KubectlFailed: a node does not get them.
    """
    kubectl.run("-n", NAMESPACE, "rollout", "status", f"daemonset/{NAME}", f"--timeout={_SECONDS}s")
    kubectl.run("-n", NAMESPACE, "delete", "daemonset", NAME, "--wait=false")


def daemon_set(images: Sequence[tuple[str, Sequence[str]]]) -> Object:
    """The object, of images and what each is asked to run; the last container waits in the first image."""
    pulls = [
        {"name": f"image-{number}", "image": image, "command": list(command), **_container()}
        for number, (image, command) in enumerate(images)
    ]
    waiting = {"name": "waiting", "image": images[0][0], "command": ["sleep", "infinity"], **_container()}
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "mainline"}
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "initContainers": pulls,
        "containers": [waiting],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
            # all nodes at once, also where an earlier one was not removed
            "updateStrategy": {"rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _container() -> dict[str, object]:
    return {"securityContext": _UNPRIVILEGED, "resources": _RESOURCES}
