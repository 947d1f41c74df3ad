"""One revision of a Rollout as a cluster has it: which version its pods serve, and what its analyses saw.

Read from the ReplicaSet's pod template, which holds what git released (never from the Rollout, which may have moved on)
and from the AnalysisRuns that carry the same hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.errors import MainlineError
from pipelines.kube import ANALYSIS_RUN, ROLLOUT, Cluster

REPLICA_SET = ("apps/v1", "ReplicaSet")
HASH = "rollouts-pod-template-hash"
_PREFIX = "mainline.dev/"


class RevisionGone(MainlineError):  # noqa: N818  (what happened)
    """The cluster no longer has the revision, or it is none that Mainline released."""


@dataclass(frozen=True)
class Revision:
    """What one pod template serves.

    Attributes:
        namespace: of the Rollout.
        rollout: its name.
        hash: of the pod template.
        environment: staging or production.
        model: the model's name.
        version: the registered version.
        digest: of its bundle.
        run: MLflow's run id.
        attempt: of the release, from 1.
    """

    namespace: str
    rollout: str
    hash: str
    environment: str
    model: str
    version: str
    digest: str
    run: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.model} version {self.version} (attempt {self.attempt}) in {self.environment}"


def find_rollout(cluster: Cluster, namespace: str, name: str) -> Mapping[str, Any]:
    """The live Rollout.

    Raises:
        RevisionGone: there is none.
    """
    found = cluster.get(ROLLOUT, name, namespace)
    if found is None:
        raise RevisionGone(f"Rollout {namespace}/{name}: the cluster has none: was it deleted?")
    return found


def find_revision(cluster: Cluster, rollout: Mapping[str, Any], pod_hash: str) -> Revision:
    """The revision of a Rollout that has the hash.

    Raises:
        RevisionGone: its ReplicaSet is no longer kept, or says no version.
    """
    namespace, name = rollout["metadata"]["namespace"], rollout["metadata"]["name"]
    found = cluster.get(REPLICA_SET, f"{name}-{pod_hash}", namespace)
    where = f"Rollout {namespace}/{name}, revision with hash {pod_hash}"
    if found is None:
        raise RevisionGone(f"{where}: its ReplicaSet is gone; the Rollout keeps revisionHistoryLimit of them")
    template = found["spec"]["template"]["metadata"]
    annotations, labels = template.get("annotations") or {}, template.get("labels") or {}
    said = {key.removeprefix(_PREFIX): value for key, value in {**labels, **annotations}.items()}
    try:
        return Revision(
            namespace=namespace,
            rollout=name,
            hash=pod_hash,
            environment=said["environment"],
            model=said["model"],
            version=said["version"],
            digest=said["digest"],
            run=said["run"],
            attempt=int(said["attempt"]),
        )
    except (KeyError, ValueError) as err:
        raise RevisionGone(f"{where}: its pods do not say {err}: no release of Mainline's made it") from err


def analysis_runs(cluster: Cluster, revision: Revision) -> list[Mapping[str, Any]]:
    """The revision's AnalysisRuns, in the order of their beginning."""
    found = cluster.list(ANALYSIS_RUN, revision.namespace, labels=f"{HASH}={revision.hash}")
    owned = [
        item
        for item in found
        if any(owner.get("name") == revision.rollout for owner in item["metadata"].get("ownerReferences") or [])
    ]
    return sorted(owned, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))
