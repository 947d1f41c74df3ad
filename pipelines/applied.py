"""Which commit was applied last, so that who waited behind that application needs none of its own.

Applications run one after another and each takes main's head: of five merges in a row the second one's application has
applied the other three. Noted in a ConfigMap; without it, everything is applied once more.
"""

from datetime import datetime, timedelta

from pipelines.kube import Cluster

_CONFIG_MAP = ("v1", "ConfigMap")
_NAME, _NAMESPACE = "applied", "delivery"
_MANAGER = "mainline-applied"
# Who asks and who applies look at two clocks.
_SKEW = timedelta(seconds=5)


def is_applied(cluster: Cluster, commit: str, asked: datetime) -> bool:
    """Whether an application of the commit without an error was begun after somebody asked for one."""
    found = cluster.get(_CONFIG_MAP, _NAME, _NAMESPACE)
    said = (found or {}).get("data") or {}
    if said.get("commit") != commit:
        return False
    return datetime.fromisoformat(said["began"]) - asked > _SKEW


def note_applied(cluster: Cluster, commit: str, began: datetime) -> None:
    """Notes an application that went well.

    Args:
        began: before the commit was fetched; aware.
    """
    labels = {"app.kubernetes.io/name": "apply", "app.kubernetes.io/part-of": "mainline"}
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _NAME, "namespace": _NAMESPACE, "labels": labels},
        "data": {"commit": commit, "began": began.isoformat()},
    }
    cluster.apply(manifest, manager=_MANAGER, force=True)
