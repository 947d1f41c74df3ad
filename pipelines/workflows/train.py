"""The training workflow: pull, validate, train, evaluate, register, propose; one WorkflowTemplate a resource class.

A push submits the template of the model's class with the commit as a parameter. Dependencies are in the image, code is
in git: validate, train and evaluate run in the commit's tree, everything that decides or holds a credential runs in
/app, the image's own code. `pipelines.local` runs the same text on one machine.
"""

from hera.workflows import DAG, Artifact, GitArtifact, Parameter, Task, WorkflowTemplate
from hera.workflows import models as m

from pipelines.workflows.pod import TRACKING_ENVIRONMENT as TRACKING
from pipelines.workflows.pod import (
    artifact,
    declared,
    forge_secrets,
    given,
    hardening,
    kept,
    produced,
    step,
    volumes,
    workflow,
    written,
)
from pipelines.workflows.resources import ResourceClass

SERVICE_ACCOUNT = "train"
IMAGE_CODE = "/app"
COMMIT_CODE = artifact("source")
NAME = "{{workflow.name}}"
# Read access to the repository, keys username and password; both empty where everybody may read it.
SOURCE_SECRET = "mainline-source"  # noqa: S105  (a name)

# name: (default or None where the submitter must say it, meaning)
PARAMETERS: dict[str, tuple[str | None, str]] = {
    "model": (None, "folder in models/"),
    "commit": (None, "full hash of the commit whose code trains"),
    "branch": (None, "branch that was pushed; only main registers and proposes"),
    "repo": (None, "URL that the commit is fetched from and that the proposal goes to"),
    "dirty": ("false", "true where the commit holds uncommitted changes; nothing is released of it"),
    "image": (
        "this-machine",
        "trainer image by digest; an overlay sets it, and the word stands for this machine's own code",
    ),
    "mlflow-tracking-uri": ("http://mlflow.mainline.svc:5000", "where runs and versions are recorded"),
    "artifact-root": ("s3://mainline-artifacts/mlflow", "where bundles are kept, one folder a run"),
    "checkpoints": (
        "s3://mainline-checkpoints/trainings",
        "where a killed training finds its state again; keyed by commit and data",
    ),
}


def train_template(resources: ResourceClass) -> WorkflowTemplate:
    """The WorkflowTemplate `train-<class>`."""
    with WorkflowTemplate(
        name=f"train-{resources.name}",
        labels={"app.kubernetes.io/name": "train", "app.kubernetes.io/part-of": "mainline"},
        entrypoint="main",
        on_exit="finish-run",
        service_account_name=SERVICE_ACCOUNT,
        automount_service_account_token=False,
        executor=m.ExecutorConfig(service_account_name=SERVICE_ACCOUNT),
        arguments=declared(PARAMETERS),
        # one training of a model at a time, in the order of submission: releases follow main's history
        synchronization=m.Synchronization(mutexes=[m.Mutex(name="train-{{workflow.parameters.model}}")]),
        # every try of the training, and half an hour for the rest
        active_deadline_seconds=3 * resources.deadline_seconds + 1800,
        ttl_strategy=kept(),
        pod_gc=m.PodGC(strategy="OnPodSuccess"),
        security_context=hardening(),
        volumes=volumes(),
        pod_metadata=m.Metadata(labels={"app.kubernetes.io/name": "train", "app.kubernetes.io/part-of": "mainline"}),
    ) as template:
        _steps(resources)
        _order()
    return template


def _steps(resources: ResourceClass) -> None:
    source = GitArtifact(
        name="source",
        path="/inputs/source",
        repo=workflow("repo"),
        revision=workflow("commit"),
        depth=1,
        # a commit that is no branch's tip arrives only when it is asked for by its hash
        fetch=[f"{workflow('commit')}:refs/heads/pinned"],
        # the executor's own: no step sees them
        username_secret=m.SecretKeySelector(name=SOURCE_SECRET, key="username"),
        password_secret=m.SecretKeySelector(name=SOURCE_SECRET, key="password"),
    )
    data, bundle, training, evaluation, validation, decision = (
        Artifact(name=name, path=f"/inputs/{name}")
        for name in ("data", "bundle", "training", "evaluation", "validation", "decision")
    )
    tree = {"source": COMMIT_CODE, "model": workflow("model")}
    commit = {"commit": workflow("commit"), "dirty": workflow("dirty")}
    lineage = {"data-md5": given("data-md5"), "workflow": NAME, "image": workflow("image")}
    step(
        "pull-data",
        source,
        flags={**tree, "out": produced("data"), "data-md5-file": written("data-md5")},
        working_dir=IMAGE_CODE,
        store=True,
    )
    step(
        "start-run",
        source,
        flags={**tree, **commit, "branch": workflow("branch"), **lineage, "run-id-file": written("run-id")},
        working_dir=IMAGE_CODE,
        environment=TRACKING,
        everywhere=["run-id"],
    )
    step(
        "validate-data",
        source,
        data,
        flags={
            **tree,
            "data": artifact("data"),
            "out": produced("report"),
            "verdict-file": written("verdict"),
            "reason-file": written("reason"),
        },
        working_dir=COMMIT_CODE,
    )
    step(
        "train",
        source,
        data,
        flags={
            **tree,
            **commit,
            "data": artifact("data"),
            **lineage,
            "run-id": given("run-id"),
            "checkpoints": workflow("checkpoints"),
            "out-bundle": produced("bundle"),
            "out-training": produced("training"),
        },
        working_dir=COMMIT_CODE,
        store=True,
        resources=resources,
        resumes=True,
    )
    trained = {"bundle": artifact("bundle"), "training": artifact("training")}
    step(
        "evaluate",
        source,
        data,
        bundle,
        training,
        flags={**tree, "data": artifact("data"), **trained, "out": produced("evaluation")},
        working_dir=COMMIT_CODE,
        store=True,
    )
    step(
        "register",
        source,
        bundle,
        training,
        evaluation,
        validation,
        flags={
            **tree,
            "branch": workflow("branch"),
            "commit": workflow("commit"),
            "run-id": given("run-id"),
            **trained,
            "evaluation": artifact("evaluation"),
            "validation": artifact("validation"),
            "out": produced("decision"),
            "outcome-file": written("outcome"),
            "version-file": written("version"),
        },
        working_dir=IMAGE_CODE,
        environment=TRACKING,
        store=True,
    )
    step(
        "propose-release",
        decision,
        flags={
            "model": workflow("model"),
            "run-id": given("run-id"),
            "version": given("version"),
            "decision": artifact("decision"),
            "repo": workflow("repo"),
            "base": "main",
        },
        working_dir=IMAGE_CODE,
        environment=TRACKING,
        # the one step that may write to the forge
        secrets=forge_secrets(),
    )
    step(
        "refuse",
        flags={"run-id": given("run-id"), "reason": given("reason")},
        working_dir=IMAGE_CODE,
        environment=TRACKING,
    )
    step(
        "finish-run",
        flags={"run-id": "{{workflow.outputs.parameters.run-id}}", "status": "{{workflow.status}}"},
        working_dir=IMAGE_CODE,
        environment=TRACKING,
    )


def _order() -> None:
    with DAG(name="main"):
        _task("pull-data")
        _task("start-run", "pull-data.Succeeded", parameters={"data-md5": "pull-data"})
        _task("validate-data", "pull-data.Succeeded", artifacts={"data": "pull-data"})
        both = "start-run.Succeeded && validate-data.Succeeded"
        verdict = "'{{tasks.validate-data.outputs.parameters.verdict}}'"
        _task(
            "train",
            both,
            when=f"{verdict} == 'pass'",
            parameters={"data-md5": "pull-data", "run-id": "start-run"},
            artifacts={"data": "pull-data"},
        )
        # a verdict that is no pass is refused, whatever its text
        _task(
            "refuse",
            both,
            when=f"{verdict} != 'pass'",
            parameters={"run-id": "start-run", "reason": "validate-data"},
        )
        trained = {"bundle": "train", "training": "train"}
        _task("evaluate", "train.Succeeded", artifacts={"data": "pull-data", **trained})
        _task(
            "register",
            "evaluate.Succeeded",
            parameters={"run-id": "start-run"},
            artifacts={**trained, "evaluation": "evaluate", "validation": "validate-data.report"},
        )
        outcome = "'{{tasks.register.outputs.parameters.outcome}}'"
        _task(
            "propose-release",
            "register.Succeeded",
            when=f"{outcome} == 'registered' || {outcome} == 'draft'",
            parameters={"run-id": "start-run", "version": "register"},
            artifacts={"decision": "register"},
        )


def _task(
    name: str,
    depends: str | None = None,
    *,
    when: str | None = None,
    parameters: dict[str, str] | None = None,
    artifacts: dict[str, str] | None = None,
) -> None:
    """A task of the same name as its template.

    Args:
        parameters: input to the task whose output parameter of the same name it takes.
        artifacts: input to the task whose output artifact it takes: `task`, or `task.artifact` where the names differ.
    """
    values = [
        Parameter(name=given_name, value=f"{{{{tasks.{task}.outputs.parameters.{given_name}}}}}")
        for given_name, task in (parameters or {}).items()
    ]
    folders = []
    for given_name, origin in (artifacts or {}).items():
        task, _, renamed = origin.partition(".")
        folders.append(
            Artifact(name=given_name, from_=f"{{{{tasks.{task}.outputs.artifacts.{renamed or given_name}}}}}")
        )
    Task(name=name, template=name, depends=depends, when=when, arguments=[*values, *folders])
