"""Keeps a version from coming back unjudged: pods that a cluster still knows skip the gates.

Argo Rollouts takes a pod template that it has a ReplicaSet of, older than the stable one and within `rollbackWindow`,
for a way back, and skips every step. That is right for a version that was promoted, and wrong for one that never was:
so it must be on record that its rollout was completed. Asked by `apply`, before such a template is sent.
"""

from collections.abc import Mapping
from typing import Any

from models.errors import GateClosed
from models.release import Release
from pipelines.kube import Cluster
from pipelines.revision import REPLICA_SET
from pipelines.standing import Ending, standings

_PREFIX = "mainline.dev/"


def refuse_restored(cluster: Cluster, live: Mapping[str, Any] | None, release: Release, environment: str) -> None:
    """Lets a release pass that the cluster has no pods' template of, or whose rollout is known to have been completed.

    Args:
        cluster: where it is to run.
        live: its Rollout; None before the first deployment.
        release: what git says.

    Raises:
        GateClosed: it ran here before, and nobody knows that it was promoted.
    """
    if live is None or not _known(cluster, live, release):
        return
    attempt = int(release.attempt)
    if any(each.ending is Ending.COMPLETED and each.attempt == attempt for each in standings(release, environment)):
        return
    raise GateClosed(
        f"{release.model} version {release.version} in {environment}: its pods' template is still known here, so Argo "
        "Rollouts would skip every gate, and no rollout of it is recorded as completed; the reconciler records one "
        f"within minutes if it was, else raise the attempt to {attempt + 1} (mainline promote {release.model} --to "
        f"{environment} --again) or, if you saw it completed, say so with `mainline record`"
    )


def _known(cluster: Cluster, live: Mapping[str, Any], release: Release) -> bool:
    """Whether a ReplicaSet that is neither stable nor under way has the release's version and attempt."""
    metadata, status = live["metadata"], live.get("status") or {}
    running = {f"{metadata['name']}-{status.get(which, '')}" for which in ("stableRS", "currentPodHash")}
    for item in cluster.list(REPLICA_SET, metadata["namespace"]):
        owners = [owner.get("uid") for owner in item["metadata"].get("ownerReferences") or []]
        if metadata["uid"] not in owners or item["metadata"]["name"] in running:
            continue
        said = item["spec"]["template"]["metadata"].get("annotations") or {}
        wanted = {"version": release.version, "digest": release.digest, "attempt": release.attempt}
        if all(said.get(_PREFIX + name) == value for name, value in wanted.items()):
            return True
    return False
