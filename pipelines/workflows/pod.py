"""What all pods of the steps share (hardening, scratch folders, environment, retries), and a builder for the rest."""

import re
from collections.abc import Mapping, Sequence

from hera.workflows import Artifact, Container, Env, Parameter
from hera.workflows import models as m

from pipelines.workflows.resources import STEP_CPU, STEP_DEADLINE_SECONDS, STEP_MEMORY, ResourceClass

SCRATCH = "/tmp"  # noqa: S108  (an emptyDir of the pod's own)
OUTPUTS = "/outputs"

# Home and caches lie in the scratch volume, since the root file system is read-only; nothing phones home.
COMMON_ENVIRONMENT = {
    "HOME": SCRATCH,
    "DVC_SITE_CACHE_DIR": f"{SCRATCH}/dvc",
    "MPLCONFIGDIR": f"{SCRATCH}/matplotlib",
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONUNBUFFERED": "1",
}
TRACKING_ENVIRONMENT = {
    "MLFLOW_TRACKING_URI": "{{workflow.parameters.mlflow-tracking-uri}}",
    "MAINLINE_ARTIFACT_ROOT": "{{workflow.parameters.artifact-root}}",
}
# Credentials of the object store, for the steps that read or write it; absent where the nodes' own identity is enough.
STORE_SECRET = "mainline-object-store"  # noqa: S105  (a name)
# Keys url (of the API), token, username: who opens proposals.
FORGE_SECRET = "mainline-forge"  # noqa: S105  (a name)


def workflow(parameter: str) -> str:
    """The text that stands for a parameter of the workflow."""
    return f"{{{{workflow.parameters.{parameter}}}}}"


def given(parameter: str) -> str:
    """The text that stands for an input parameter of the step; `step` declares it."""
    return f"{{{{inputs.parameters.{parameter}}}}}"


def artifact(name: str) -> str:
    """The text that stands for the path of an input artifact."""
    return f"{{{{inputs.artifacts.{name}.path}}}}"


def produced(name: str) -> str:
    """The text that stands for the folder of an output artifact; `step` declares it."""
    return f"{{{{outputs.artifacts.{name}.path}}}}"


def written(name: str) -> str:
    """The text that stands for the file of an output parameter; `step` declares it."""
    return f"{{{{outputs.parameters.{name}.path}}}}"


def secret(variable: str, name: str, key: str) -> m.EnvVar:
    """An environment variable that a Secret of the namespace fills."""
    source = m.EnvVarSource(secret_key_ref=m.SecretKeySelector(name=name, key=key))
    return m.EnvVar(name=variable, value_from=source)


def step(
    name: str,
    *artifacts: Artifact,
    flags: Mapping[str, str],
    working_dir: str,
    environment: Mapping[str, str] | None = None,
    secrets: Sequence[m.EnvVar] = (),
    store: bool = False,
    everywhere: Sequence[str] = (),
    resources: ResourceClass | None = None,
    resumes: bool = False,
) -> None:
    """Adds the Container template that runs `python -m pipelines.steps.<name>` to the open WorkflowTemplate.

    Args:
        artifacts: input artifacts.
        flags: the step's flags in order; inputs and outputs that their values mention are declared from them.
        working_dir: whose code runs: the image's, or the commit's.
        secrets: environment from Secrets, for this step alone.
        store: whether the step speaks to the object store.
        everywhere: output parameters that the exit handler may read.
        resources: a class, else what every ordinary step gets.
        resumes: whether a try goes on where the last one was killed; then a lost node is bridged more often.
    """
    text = " ".join(flags.values())
    outputs: list[Artifact | Parameter] = [
        *(Artifact(name=n, path=f"{OUTPUTS}/{n}") for n in re.findall(r"{{outputs\.artifacts\.([\w-]+)\.path}}", text)),
        *(_output(n, everywhere) for n in re.findall(r"{{outputs\.parameters\.([\w-]+)\.path}}", text)),
    ]
    fixed = {**COMMON_ENVIRONMENT, **(environment or {})}
    Container(
        name=name,
        inputs=[*(Parameter(name=n) for n in re.findall(r"{{inputs\.parameters\.([\w-]+)}}", text)), *artifacts],
        outputs=outputs,
        image="{{workflow.parameters.image}}",
        command=["python", "-m", f"pipelines.steps.{name.replace('-', '_')}"],
        # one word a flag, so that a value that begins with a dash stays a value
        args=[f"--{flag}={value}" for flag, value in flags.items()],
        working_dir=working_dir,
        env=[*(Env(name=k, value=v) for k, v in fixed.items()), *secrets],
        env_from=[m.EnvFromSource(secret_ref=m.SecretEnvSource(name=STORE_SECRET, optional=True))] if store else None,
        active_deadline_seconds=resources.deadline_seconds if resources else STEP_DEADLINE_SECONDS,
        retry_strategy=_retries(resumes),
        resources=_quantities(resources),
        node_selector=(resources and resources.node_selector) or None,
        tolerations=_tolerations(resources),
        volume_mounts=[
            m.VolumeMount(name="scratch", mount_path=SCRATCH),
            m.VolumeMount(name="outputs", mount_path=OUTPUTS),
        ],
        security_context=m.SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            run_as_non_root=True,
            run_as_user=65532,
            capabilities=m.Capabilities(drop=["ALL"]),
            seccomp_profile=m.SeccompProfile(type="RuntimeDefault"),
        ),
    )


def declared(parameters: Mapping[str, tuple[str | None, str]]) -> list[Parameter]:
    """A workflow's parameters, from name to default (None where the submitter must say it) and meaning."""
    return [
        Parameter(name=name, description=meaning)
        if default is None
        else Parameter(name=name, description=meaning, value=default)
        for name, (default, meaning) in parameters.items()
    ]


def kept() -> m.TTLStrategy:
    """How long one that ended can be looked at: a failed one a week, for whoever looks on Monday; a good one a day."""
    return m.TTLStrategy(seconds_after_success=86400, seconds_after_failure=604800)


def hardening() -> m.PodSecurityContext:
    """What every pod of a workflow runs as: nobody in particular, with files of its own group."""
    return m.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=65532,
        run_as_group=65532,
        fs_group=65532,
        seccomp_profile=m.SeccompProfile(type="RuntimeDefault"),
    )


def volumes() -> list[m.Volume]:
    """The pods' only writable folders; both bounded, so that a runaway step is evicted and not its neighbours."""
    return [
        m.Volume(name="scratch", empty_dir=m.EmptyDirVolumeSource(size_limit=m.Quantity("4Gi"))),
        m.Volume(name="outputs", empty_dir=m.EmptyDirVolumeSource(size_limit=m.Quantity("4Gi"))),
    ]


def _output(name: str, everywhere: Sequence[str]) -> Parameter:
    path = f"{OUTPUTS}/parameters/{name}"
    return Parameter(name=name, value_from=m.ValueFrom(path=path), global_name=name if name in everywhere else None)


def forge_secrets() -> list[m.EnvVar]:
    """What `pipelines.forge_access` reads: for the steps that may write to the forge."""
    names = {"MAINLINE_FORGE_API": "url", "MAINLINE_FORGE_TOKEN": "token", "MAINLINE_FORGE_USERNAME": "username"}
    return [secret(variable, FORGE_SECRET, key) for variable, key in names.items()]


def _retries(resumes: bool) -> m.RetryStrategy:
    """Three tries, whether a pod shows as Failed or as Error: a node that goes away may do either.

    2 (bad configuration) and 3 (refused) would end the same way every time. A training that resumes is tried three more
    times where a signal ended it or nobody saw how (-1): an evicted or deleted pod, a lost node, no memory.
    """
    lasting = 'lastRetry.exitCode not in ["2", "3"]'
    killed = 'lastRetry.exitCode in ["-1", "137", "143"]'
    return m.RetryStrategy(
        limit=m.IntOrString("5" if resumes else "2"),
        retry_policy="Always",
        expression=f'{killed} || ({lasting} && retries in ["0", "1"])' if resumes else lasting,
        # 10 s, then a minute: long enough for a node to be replaced by a warm one. No longest duration of all tries:
        # it would forbid a training of hours its second one, and each has a deadline of its own
        backoff=m.Backoff(duration="10s", factor=m.IntOrString("6"), cap="1m"),
    )


def _quantities(resources: ResourceClass | None) -> m.ResourceRequirements:
    cpu, memory = (resources.cpu, resources.memory) if resources else (STEP_CPU, STEP_MEMORY)
    gpus = {"nvidia.com/gpu": str(resources.gpus)} if resources and resources.gpus else {}
    return m.ResourceRequirements(
        requests=_typed({"cpu": cpu, "memory": memory, "ephemeral-storage": "1Gi", **gpus}),
        limits=_typed({"memory": memory, "ephemeral-storage": "10Gi", **gpus}),
    )


def _typed(quantities: Mapping[str, str]) -> dict[str, m.Quantity]:
    return {name: m.Quantity(value) for name, value in quantities.items()}


def _tolerations(resources: ResourceClass | None) -> list[m.Toleration] | None:
    if not resources or not resources.taint:
        return None
    return [m.Toleration(key=resources.taint, operator="Exists", effect="NoSchedule")]
