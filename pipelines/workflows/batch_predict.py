"""Batch prediction as a WorkflowTemplate: list the files, predict them side by side, sum up. The order of the steps.

Everything runs in /app, the image's own code: a bundle is data, and the rows are checked by what it declares. Who may
create Workflows in the namespace of trainings may run it. Each file is done once and verified, so that a Workflow that
was lost is submitted again and goes on. `mainline predict` runs the same text on one machine.
"""

from hera.workflows import DAG, Artifact, Parameter, Task, WorkflowTemplate
from hera.workflows import models as m

from pipelines.workflows.pod import (
    artifact,
    declared,
    given,
    hardening,
    kept,
    produced,
    step,
    volumes,
    workflow,
    written,
)
from pipelines.workflows.resources import BATCH
from pipelines.workflows.train import IMAGE_CODE, SERVICE_ACCOUNT

NAME = "batch-predict"
# Pods at once: with BATCH's requests half of what the namespace may hold, so that a training always finds room.
PARALLELISM = 4
# A day: a retried worker goes on with the file that it had.
DEADLINE_SECONDS = 86400

# name: (default or None where the submitter must say it, meaning)
PARAMETERS: dict[str, tuple[str | None, str]] = {
    "model": (None, "the model's name"),
    "version": (None, "the registered version, noted in every file of predictions"),
    "bundle": (None, "URI of the version's bundle, as its release.yaml has it"),
    "digest": (None, "digest of the bundle, as its release.yaml has it; every byte is verified"),
    "input": (None, "URI of a folder of .parquet and .csv files, or of one file"),
    "output": (None, "URI of the folder that predictions go to, one file for each of the input"),
    "keep": ("", "columns of the input that go along, between commas, such as an id; * for all"),
    "refused": ("fail", "a file with refused rows: fail leaves it out, set-aside writes those rows to a side file"),
    "layout": ("parquet", "of the files of predictions: parquet or csv"),
    "workers": ("16", f"shares of the files; {PARALLELISM} at once"),
    "asked": ("", "when; on one machine another text lists the files anew"),
    "image": (
        "this-machine",
        "trainer image by digest; an overlay sets it, and the word stands for this machine's own code",
    ),
}


def batch_predict_template() -> WorkflowTemplate:
    """The WorkflowTemplate `batch-predict`."""
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "mainline"}
    with WorkflowTemplate(
        name=NAME,
        labels=labels,
        entrypoint="main",
        # the executor's rights are the same as a training's: to report what a step wrote
        service_account_name=SERVICE_ACCOUNT,
        automount_service_account_token=False,
        executor=m.ExecutorConfig(service_account_name=SERVICE_ACCOUNT),
        arguments=declared(PARAMETERS),
        parallelism=PARALLELISM,
        active_deadline_seconds=DEADLINE_SECONDS,
        ttl_strategy=kept(),
        pod_gc=m.PodGC(strategy="OnPodSuccess"),
        security_context=hardening(),
        volumes=volumes(),
        pod_metadata=m.Metadata(labels=labels),
    ) as template:
        _steps()
        _order()
    return template


def _steps() -> None:
    plan = Artifact(name="plan", path="/inputs/plan")
    order = {
        name: workflow(name) for name in ("output", "model", "version", "bundle", "digest", "keep", "layout", "refused")
    }
    step(
        "batch-plan",
        flags={
            **{name: workflow(name) for name in ("input", "output", "layout", "workers", "asked")},
            "out": produced("plan"),
            "shards-file": written("shards"),
        },
        working_dir=IMAGE_CODE,
        store=True,
    )
    step(
        "batch-predict",
        plan,
        flags={"plan": artifact("plan"), "shard": given("shard"), **order},
        working_dir=IMAGE_CODE,
        store=True,
        resources=BATCH,
        resumes=True,
    )
    step(
        "batch-summary",
        plan,
        flags={"plan": artifact("plan"), "workers-ended": given("workers-ended"), **order},
        working_dir=IMAGE_CODE,
        store=True,
    )


def _order() -> None:
    plan = Artifact(name="plan", from_="{{tasks.batch-plan.outputs.artifacts.plan}}")
    with DAG(name="main"):
        Task(name="batch-plan", template="batch-plan")
        Task(
            name="batch-predict",
            template="batch-predict",
            depends="batch-plan.Succeeded",
            with_param="{{tasks.batch-plan.outputs.parameters.shards}}",
            arguments=[Parameter(name="shard", value="{{item}}"), plan],
        )
        # also where some failed: it names the files that are missing, and fails in their place, since the last task's
        # end is the whole's
        Task(
            name="batch-summary",
            template="batch-summary",
            depends="batch-predict.Succeeded || batch-predict.Failed || batch-predict.Errored",
            arguments=[Parameter(name="workers-ended", value="{{tasks.batch-predict.status}}"), plan],
        )
