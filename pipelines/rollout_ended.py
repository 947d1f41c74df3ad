"""What is kept and done when a rollout ends: its note, the alias that follows, the evidence, the proposed revert.

Called when Argo Rollouts' notification arrives, and again by the reconciler, since a notification can be lost. Each
part looks first whether it was done, so that a second call changes nothing and a killed one is taken up where it was.
"""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from models.release import Release, read_release, release_path
from pipelines import abort_evidence, abort_report, judge_report, tracking
from pipelines.gitstore import open_store
from pipelines.kube import ROLLOUT, Cluster
from pipelines.proposal import Proposal
from pipelines.pull_requests import open_pull_request
from pipelines.reverting import Revert, push_revert
from pipelines.revision import Revision, analysis_runs, find_revision, find_rollout
from pipelines.standing import Ending, record, standings

MANAGER = "mainline-outcome"
OUTCOME, OUTCOME_HASH = "mainline.dev/outcome", "mainline.dev/outcome-hash"
# A first deployment pulls its image and loads its bundle.
_HEALTHY_SECONDS = 90.0
_LOOK_SECONDS = 1.0
# An annotation is read in a table.
_SHOWN_CHARACTERS = 300

Say = Callable[[str], None]


def ended(
    cluster: Cluster, repo: str, namespace: str, name: str, pod_hash: str, phase: Ending, *, say: Say,
    patience_seconds: float = _HEALTHY_SECONDS,
) -> None:  # fmt: skip
    """Notes how the rollout of one revision ended, and does what follows from it.

    Args:
        cluster: where it ran.
        repo: the repository whose main says what runs.
        namespace: of the Rollout.
        name: of the Rollout.
        pod_hash: of the revision that ended; empty: the current one (the first deployment is told before it has one).
        phase: how.
        say: gets one line for each thing done or left.
        patience_seconds: how long a completed rollout may take to be healthy; afterwards the reconciler looks again.

    Raises:
        RevisionGone: the cluster does not know the revision any more.
    """
    rollout = find_rollout(cluster, namespace, name)
    status = rollout.get("status") or {}
    pod_hash = pod_hash or str(status.get("currentPodHash", ""))
    revision = find_revision(cluster, rollout, pod_hash)
    if phase is Ending.COMPLETED:
        if _healthy(cluster, revision, patience_seconds):
            _completed(cluster, repo, revision, say)
        else:
            say(f"{revision}: is told to be completed and is not healthy: not noted, the reconciler looks again")
    elif status.get("stableRS") == pod_hash:
        say(f"{revision}: was aborted and is stable by now: nothing to take back")
    else:
        _aborted(cluster, repo, rollout, revision, say)


def _healthy(cluster: Cluster, revision: Revision, patience_seconds: float) -> bool:
    """Whether its pods serve, or another revision's by now.

    Argo Rollouts calls a first deployment completed before a pod of it is ready.
    """
    until = time.monotonic() + patience_seconds
    while True:
        status = find_rollout(cluster, revision.namespace, revision.rollout).get("status") or {}
        if status.get("currentPodHash") != revision.hash or status.get("phase") == "Healthy":
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_SECONDS)


def _completed(cluster: Cluster, repo: str, revision: Revision, say: Say) -> None:
    if _noted(revision) is Ending.COMPLETED:
        say(f"{revision}: completed, as noted before")
    else:
        record(revision.model, revision.version, revision.environment, Ending.COMPLETED, attempt=revision.attempt)
        say(f"{revision}: completed, noted")
    said = _release(repo, revision)
    if said is None or (said.version, said.digest) != (revision.version, revision.digest):
        say(f"{revision}: main says another version by now: the alias {revision.environment} stays")
    elif tracking.aliases(revision.model).get(revision.environment) != revision.version:
        tracking.set_alias(revision.model, revision.environment, revision.version)
        say(f"{revision}: alias {revision.environment} follows")
    _annotate(cluster, revision, {OUTCOME: f"version {revision.version}, attempt {revision.attempt}: completed"})


def _aborted(cluster: Cluster, repo: str, rollout: Mapping[str, Any], revision: Revision, say: Say) -> None:
    runs = analysis_runs(cluster, revision)
    stable_hash = str((rollout.get("status") or {}).get("stableRS") or "")
    stable = find_revision(cluster, rollout, stable_hash) if stable_hash else None
    report = judge_report.fetch(runs, revision.hash)
    found = abort_evidence.document(revision, rollout, runs, stable=stable, report=report)
    text, reason = abort_report.markdown(found), str(found["reason"])
    if _noted(revision) is Ending.ABORTED:
        say(f"{revision}: aborted, as noted before")
    else:
        files = {"evidence.json": json.dumps(found, indent=2).encode(), "evidence.md": text.encode()}
        _keep(revision, files | ({judge_report.NAME: report.page} if report.page else {}))
        record(
            revision.model, revision.version, revision.environment, Ending.ABORTED,
            attempt=revision.attempt, reason=reason,
        )  # fmt: skip
        say(f"{revision}: aborted, noted: {reason}")
    address = _revert(repo, revision, push_revert(repo, revision, stable, text), text, say)
    _annotate(
        cluster,
        revision,
        {
            OUTCOME: f"version {revision.version}, attempt {revision.attempt}: aborted",
            "mainline.dev/outcome-reason": reason[:_SHOWN_CHARACTERS],
            "mainline.dev/evidence": f"{_kept_at(revision)}/evidence.md",
            **({"mainline.dev/revert": address} if address else {}),
        },
    )


def _keep(revision: Revision, files: Mapping[str, bytes]) -> None:
    """Puts the evidence beside what training recorded of the version."""
    named = {f"{_folder(revision)}/{name}": data for name, data in files.items()}
    tracking.log_evaluation(revision.run, metrics={}, tags={}, files=named)


def _kept_at(revision: Revision) -> str:
    return f"{tracking.get_run(revision.run).artifacts}/{_folder(revision)}"


def _revert(repo: str, revision: Revision, revert: Revert, text: str, say: Say) -> str:
    """Opens the pull request of the pushed branch; where a person reads it, empty where main needs none."""
    if not revert.branch:
        say(f"{revision}: {revert.reason}")
        return ""
    say(f"{revision}: {revert.reason or f'{revert.branch} pushed'}")
    proposal = Proposal(repo, revert.branch, revision.environment, revision.model, revision.version, revert.title, text)
    return open_pull_request(proposal) or revert.branch


def _annotate(cluster: Cluster, revision: Revision, said: Mapping[str, str]) -> None:
    """Tells it on the Rollout: its metadata alone, as another manager than who applies git."""
    known = cluster.get(ROLLOUT, revision.rollout, revision.namespace) or {"metadata": {}}
    before = known["metadata"].get("annotations") or {}
    told = {**said, OUTCOME_HASH: revision.hash}
    if {key: before.get(key) for key in told} == told:
        return
    at = datetime.now(UTC).isoformat(timespec="seconds")
    metadata = {
        "name": revision.rollout,
        "namespace": revision.namespace,
        "annotations": {**told, "mainline.dev/outcome-at": at},
    }
    cluster.apply({"apiVersion": ROLLOUT[0], "kind": ROLLOUT[1], "metadata": metadata}, manager=MANAGER)


def _noted(revision: Revision) -> Ending | None:
    """How this attempt ended, as it was noted; None where it was not."""
    known = standings(_as_release(revision), revision.environment)
    return next((each.ending for each in known if each.attempt == revision.attempt), None)


def _as_release(revision: Revision) -> Release:
    return Release("", revision.model, revision.version, "", revision.digest, revision.run, "", str(revision.attempt))


def _release(repo: str, revision: Revision, base: str = "main") -> Release | None:
    """What main says the environment runs."""
    with open_store(repo) as store:
        tip = store.resolve(f"refs/heads/{base}")
        text = store.read(tip, release_path(revision.environment, revision.model)) if tip else None
    return read_release(text) if text is not None else None


def _folder(revision: Revision) -> str:
    return f"rollouts/{revision.environment}/attempt-{revision.attempt}"
