"""Is what main says applied? The part of the reconciler that makes good a push whose webhook was lost, or that failed.

Every application of a commit is a Workflow named after it: none, and one is submitted; a failed one is tried again,
ever more rarely; a good one once in a while, so that what somebody changed by hand does not stay. The work itself is
the WorkflowTemplate `apply`'s.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.gitstore import open_store
from pipelines.kube import WORKFLOW, Cluster, Object
from pipelines.rollout_ended import Say

NAMESPACE = "delivery"
_LABEL = "app.kubernetes.io/name=apply"
# How long what was changed by hand may stay.
_AGAIN = timedelta(minutes=30)
# The reconciler's own period, doubled after each failure, up to an hour.
_PERIOD, _LONGEST = timedelta(minutes=2), timedelta(hours=1)


def reconcile_apply(cluster: Cluster, repo: str, *, say: Say, now: datetime | None = None) -> str:
    """Submits an application of main's head where one is due; its name, empty where none is.

    Raises:
        KubeFailed: the API server did not answer; the next turn asks again.
    """
    with open_store(repo) as store:
        head = store.resolve("refs/heads/main")
    if head is None:
        return ""
    name = due(head, cluster.list(WORKFLOW, NAMESPACE, labels=_LABEL), now or datetime.now(UTC))
    if name and cluster.create(_workflow(name)):
        say(f"{name}: submitted: main is {head} and nothing told, or the last try failed or is a while ago")
    return name


def due(head: str, workflows: Sequence[Object], now: datetime) -> str:
    """The name of the Workflow that should apply a commit now; empty where none should.

    The first of a commit is `apply-<12 digits>`, as the webhook names it; further ones are numbered.
    """
    first = f"apply-{head[:12]}"
    tried = [each for each in workflows if str(each["metadata"]["name"]).startswith(first)]
    if not tried:
        return first
    last = max(tried, key=_number)
    status = last.get("status") or {}
    if status.get("phase") not in ("Succeeded", "Failed", "Error"):
        return ""
    failures = _failures(tried)
    wait = min(_PERIOD * 2**failures, _LONGEST) if failures else _AGAIN
    finished = datetime.fromisoformat(str(status["finishedAt"]).replace("Z", "+00:00"))
    return f"{first}-{_number(last) + 1}" if now - finished >= wait else ""


def _failures(tried: Sequence[Object]) -> int:
    """How many failed since the last good one."""
    count = 0
    for each in sorted(tried, key=_number, reverse=True):
        if (each.get("status") or {}).get("phase") == "Succeeded":
            break
        count += 1
    return count


def _number(workflow: Object) -> int:
    """1 for `apply-<commit>`, n for `apply-<commit>-<n>`."""
    parts = str(workflow["metadata"]["name"]).split("-")
    return int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else 1


def _workflow(name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "apply", "app.kubernetes.io/part-of": "mainline"}
    return {
        "apiVersion": WORKFLOW[0],
        "kind": WORKFLOW[1],
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"workflowTemplateRef": {"name": "apply"}},
    }
