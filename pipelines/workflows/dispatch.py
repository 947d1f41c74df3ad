"""The workflows that see to it that what main says is trained: `dispatch` by a push, `reconcile` by the clock.

Both run the image's own code with the rights to submit Workflows; neither trains. A webhook that was lost is made good
by the reconciler, so nothing depends on each being delivered.
"""

from hera.workflows import CronWorkflow, WorkflowTemplate
from hera.workflows import models as m

from pipelines.workflows.delivery import IMAGE_CODE, PLATFORM, SMALL, delivery_template
from pipelines.workflows.pod import TRACKING_ENVIRONMENT as TRACKING
from pipelines.workflows.pod import forge_secrets, step, workflow

_PUSH: dict[str, tuple[str | None, str]] = {
    "before": (None, "the branch's commit before the push; zeros for a new branch"),
    "after": (None, "its commit now; zeros where it was deleted"),
    "ref": (None, "refs/heads/ and the branch"),
}
_SINCE: dict[str, tuple[str | None, str]] = {
    "trained-since": (
        "",
        "commit at which every model counts as trained: where an installation begins; empty for none",
    ),
}
_REPOSITORY = {name: PLATFORM[name] for name in ("image", "repo")}


def dispatch_template() -> WorkflowTemplate:
    """The WorkflowTemplate `dispatch`; pushes are worked off side by side, since releases follow main's history."""
    with delivery_template("dispatch", _PUSH | _REPOSITORY) as template:
        step(
            "dispatch",
            flags={name: workflow(name) for name in (*_PUSH, "repo")},
            working_dir=IMAGE_CODE,
            secrets=forge_secrets(),
            # what a version of the data holds is written there
            store=True,
            resources=SMALL,
        )
    return template


def reconcile_template() -> WorkflowTemplate:
    """The WorkflowTemplate `reconcile`; by hand it may be submitted at any time."""
    lock = m.Synchronization(mutexes=[m.Mutex(name="reconcile")])
    with delivery_template("reconcile", PLATFORM | _SINCE, synchronization=lock) as template:
        step(
            "reconcile",
            flags={"repo": workflow("repo"), "trained-since": workflow("trained-since")},
            working_dir=IMAGE_CODE,
            environment=TRACKING,
            secrets=forge_secrets(),
            store=True,
            resources=SMALL,
        )
    return template


def reconcile_schedule() -> CronWorkflow:
    """The CronWorkflow `reconcile`."""
    return CronWorkflow(
        name="reconcile",
        labels={"app.kubernetes.io/name": "reconcile", "app.kubernetes.io/part-of": "mainline"},
        # every two minutes: as long as a lost webhook may go unnoticed
        schedules=["*/2 * * * *"],
        concurrency_policy="Forbid",
        # after an outage once, not once for each time that was missed
        starting_deadline_seconds=60,
        successful_jobs_history_limit=3,
        failed_jobs_history_limit=3,
        workflow_template_ref=m.WorkflowTemplateRef(name="reconcile"),
    )
