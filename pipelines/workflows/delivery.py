"""The workflows that follow git after a merge: one step each, of the image's own code, with rights in the cluster.

`apply` makes the cluster what main says, and is the whole seam to whoever applies git. `rollout-ended` keeps what a
rollout's end taught. An event or the reconciler submits them; the step's token is the workflow's service account's.
"""

from collections.abc import Mapping

from hera.workflows import WorkflowTemplate
from hera.workflows import models as m

from pipelines.workflows.pod import TRACKING_ENVIRONMENT as TRACKING
from pipelines.workflows.pod import declared, forge_secrets, hardening, kept, step, volumes, workflow
from pipelines.workflows.resources import ResourceClass

IMAGE_CODE = "/app"
# It waits for servers most of the time; MLflow's client takes a quarter of the memory.
SMALL = ResourceClass(name="delivery", cpu="100m", memory="768Mi", deadline_seconds=600)

# name: (default or None where the submitter must say it, meaning)
PLATFORM: dict[str, tuple[str | None, str]] = {
    "image": ("this-machine", "trainer image by digest; an overlay sets it"),
    "repo": ("https://forge.example.org/mainline.git", "URL of the repository whose main says what runs"),
    "mlflow-tracking-uri": ("http://mlflow.mainline.svc:5000", "where runs and versions are recorded"),
    "artifact-root": ("s3://mainline-artifacts/mlflow", "where bundles are kept, one folder a run"),
}
_ENDED: dict[str, tuple[str | None, str]] = {
    "namespace": (None, "of the Rollout"),
    "rollout": (None, "the Rollout's name"),
    "phase": (None, "completed or aborted"),
    "hash": (None, "pod-template hash of the revision that ended"),
}


def apply_template() -> WorkflowTemplate:
    """The WorkflowTemplate `apply`: one at a time, since an older main must not be applied after a newer one."""
    with delivery_template(
        "apply",
        PLATFORM,
        synchronization=m.Synchronization(mutexes=[m.Mutex(name="apply")]),
    ) as template:
        step(
            "apply",
            flags={"repo": workflow("repo"), "asked": "{{workflow.creationTimestamp}}"},
            working_dir=IMAGE_CODE,
            environment=TRACKING,
            secrets=forge_secrets(),
            resources=SMALL,
        )
    return template


def rollout_ended_template() -> WorkflowTemplate:
    """The WorkflowTemplate `rollout-ended`: of one Rollout at a time, in the order of what happened."""
    with delivery_template(
        "rollout-ended",
        _ENDED | PLATFORM,
        synchronization=m.Synchronization(
            mutexes=[m.Mutex(name="rollout-ended-{{workflow.parameters.namespace}}-{{workflow.parameters.rollout}}")]
        ),
    ) as template:
        step(
            "rollout-ended",
            flags={name: workflow(name) for name in (*_ENDED, "repo")},
            working_dir=IMAGE_CODE,
            environment=TRACKING,
            secrets=forge_secrets(),
            resources=SMALL,
            store=True,
        )
    return template


def delivery_template(
    name: str,
    parameters: Mapping[str, tuple[str | None, str]],
    *,
    synchronization: m.Synchronization | None = None,
) -> WorkflowTemplate:
    """A WorkflowTemplate of one step of its own name, whose service account has that name too."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "mainline"}
    return WorkflowTemplate(
        name=name,
        labels=labels,
        entrypoint=name,
        service_account_name=name,
        automount_service_account_token=True,
        arguments=declared(parameters),
        synchronization=synchronization,
        # all three tries and their pauses
        active_deadline_seconds=3 * SMALL.deadline_seconds + 300,
        ttl_strategy=kept(),
        pod_gc=m.PodGC(strategy="OnWorkflowSuccess", delete_delay_duration="600s"),
        security_context=hardening(),
        volumes=volumes(),
        pod_metadata=m.Metadata(labels=labels),
    )
