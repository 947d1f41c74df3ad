"""Finds rollouts that ended while nobody heard of it: each Rollout's state against what is noted on it.

A notification is sent a few times and then forgotten. So the reconciler looks at every Rollout of Mainline's and treats
an ending that is not noted there, a while after it, as if its notification had just come.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from models.errors import MainlineError
from pipelines.kube import ROLLOUT, Cluster
from pipelines.rollout_ended import OUTCOME, OUTCOME_HASH, Say, ended
from pipelines.standing import Ending

# Who was told needs a pod and a minute: two that note the same would only be in each other's way.
_TOLD = timedelta(seconds=90)
_SELECTOR = "app.kubernetes.io/name=serving,app.kubernetes.io/part-of=mainline"


def reconcile_rollouts(cluster: Cluster, repo: str, *, say: Say, now: datetime | None = None) -> list[MainlineError]:
    """Catches up with every Rollout; one's problem does not keep the others waiting.

    Returns:
        What went wrong.
    """
    errors = []
    for rollout in cluster.list(ROLLOUT, labels=_SELECTOR):
        found = unnoted(rollout, now or datetime.now(UTC))
        if found is None:
            continue
        phase, pod_hash = found
        metadata = rollout["metadata"]
        say(f"{metadata['namespace']}/{metadata['name']}: {phase} with hash {pod_hash}, and not noted")
        try:
            ended(cluster, repo, metadata["namespace"], metadata["name"], pod_hash, phase, say=say)
        except MainlineError as err:
            say(f"{metadata['namespace']}/{metadata['name']}: {err}")
            errors.append(err)
    return errors


def unnoted(rollout: Mapping[str, Any], now: datetime) -> tuple[Ending, str] | None:
    """How the Rollout's current revision ended and its hash; None where it goes on, ended just now, or is noted."""
    status = rollout.get("status") or {}
    current = str(status.get("currentPodHash") or "")
    if not current:
        return None
    if status.get("stableRS") == current:
        if status.get("phase") != "Healthy":
            return None
        phase = Ending.COMPLETED
    elif status.get("abort"):
        phase = Ending.ABORTED
    else:
        return None
    said = rollout["metadata"].get("annotations") or {}
    if said.get(OUTCOME_HASH) == current and str(said.get(OUTCOME, "")).endswith(phase.value):
        return None
    return None if now - _changed(status) < _TOLD else (phase, current)


def _changed(status: Mapping[str, Any]) -> datetime:
    """When the rollout last went on or ended."""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing":
            return datetime.fromisoformat(str(condition["lastUpdateTime"]).replace("Z", "+00:00"))
    return datetime.min.replace(tzinfo=UTC)
