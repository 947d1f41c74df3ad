"""A rendered WorkflowTemplate as frozen objects, for `pipelines.local`.

Every field is either understood, or stands in `MEANINGLESS_HERE` with the reason, or is an error that names it: a field
that would be skipped in silence is a difference between a cluster and this machine that nobody sees.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.errors import ConfigError

_CLUSTER = "a cluster's own; nothing is stored or selected by it here"
_NODES = "this machine is the only node"
_OBJECTS = "there are no pods or workflow objects to clean away or to label here"
_IDENTITY = "processes run as the person who started them"
MEANINGLESS_HERE: dict[str, str] = {
    "metadata.labels": _CLUSTER,
    "metadata.annotations": _CLUSTER,
    "metadata.namespace": _CLUSTER,
    "spec.ttlStrategy": _OBJECTS,
    "spec.podGC": _OBJECTS,
    "spec.podMetadata": _OBJECTS,
    "spec.securityContext": _IDENTITY,
    "spec.serviceAccountName": _IDENTITY,
    "spec.automountServiceAccountToken": _IDENTITY,
    "spec.executor": _IDENTITY,
    "spec.volumes": "a volume mount is a folder of the task here",
    "parameter.description": "text for people",
    "template.nodeSelector": _NODES,
    "template.tolerations": _NODES,
    "container.image": "the code and the libraries are this environment's; the steps record the parameter `image`",
    "container.imagePullPolicy": "no image is pulled",
    "container.resources": _NODES,
    "container.securityContext": _IDENTITY,
    "container.envFrom": "credentials come from this process's environment",
    "env.valueFrom": "credentials come from this process's environment",
    "git.usernameSecret": "the clone is made of the repository at hand, with the rights of who started it",
    "git.passwordSecret": "the clone is made of the repository at hand, with the rights of who started it",
    "git.depth": "the clone shares the repository's objects",
    "git.fetch": "the clone shares the repository's objects, so every commit is at hand",
}
_UNDERSTOOD = {
    "document": "apiVersion kind metadata spec",
    "metadata": "name",
    "spec": "entrypoint onExit arguments templates synchronization activeDeadlineSeconds parallelism",
    "arguments": "parameters artifacts",
    "parameter": "name value default valueFrom globalName",
    "valueFrom": "path",
    "synchronization": "mutexes",
    "mutex": "name",
    "template": "name inputs outputs container dag retryStrategy activeDeadlineSeconds",
    "inputs": "parameters artifacts",
    "outputs": "parameters artifacts",
    "artifact": "name path git from optional",
    "git": "repo revision",
    "container": "command args env workingDir volumeMounts",
    "env": "name value",
    "volumeMount": "name mountPath",
    "dag": "tasks",
    "task": "name template depends dependencies when arguments withParam",
    "retryStrategy": "limit retryPolicy expression backoff",
    "backoff": "duration factor maxDuration cap",
}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "ms": 0.001}


@dataclass(frozen=True)
class Parameter:
    """A named text; `path` is the file that an output is read from, `shared` the name under which all may read it."""

    name: str
    value: str | None = None
    path: str = ""
    shared: str = ""


@dataclass(frozen=True)
class Artifact:
    """A named folder or file: of a git commit, from another task, or an output at `path`."""

    name: str
    path: str = ""
    repo: str = ""
    revision: str = ""
    origin: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Retry:
    """How often a failed try is repeated (`limit`), while what holds, and after how many seconds, at most `cap`."""

    limit: int = 0
    expression: str = ""
    seconds: float = 0.0
    factor: float = 1.0
    max_seconds: float = float("inf")
    cap: float = float("inf")


@dataclass(frozen=True)
class Container:
    """What is run: argv, environment in order, folder; `mounts` are its writable folders."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    working_dir: str
    mounts: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A task of a DAG. `depends` is an expression over the states of others, empty for none.

    `with_param` is the text of a JSON list: the task runs once for each of its items, as `{{item}}`. Empty for once.
    """

    name: str
    template: str
    depends: str
    when: str
    parameters: tuple[Parameter, ...]
    artifacts: tuple[Artifact, ...]
    with_param: str = ""


@dataclass(frozen=True)
class Template:
    """A step (`container`) or an order of tasks (`tasks`)."""

    name: str
    inputs: tuple[Parameter, ...]
    input_artifacts: tuple[Artifact, ...]
    outputs: tuple[Parameter, ...]
    output_artifacts: tuple[Artifact, ...]
    container: Container | None
    tasks: tuple[Task, ...]
    retry: Retry
    deadline_seconds: float


@dataclass(frozen=True)
class WorkflowTemplate:
    """What `pipelines.local` runs."""

    name: str
    entrypoint: str
    on_exit: str
    parameters: tuple[Parameter, ...]
    templates: Mapping[str, Template]
    mutexes: tuple[str, ...]
    deadline_seconds: float
    parallelism: int


def read_template(path: Path) -> WorkflowTemplate:
    """The WorkflowTemplate in a file.

    Raises:
        ConfigError: no such file, no WorkflowTemplate, or fields that are not understood; all of them at once.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as err:
        raise ConfigError([f"{path}: {err}; render it with `make render`"]) from err
    if not isinstance(document, dict) or document.get("kind") != "WorkflowTemplate":
        raise ConfigError([f"{path}: kind: must be a WorkflowTemplate"])
    reader = _Reader(str(path))
    template = reader.workflow(document)
    if reader.problems:
        raise ConfigError(reader.problems)
    return template


class _Reader:
    """Takes a document apart and gathers what it does not understand."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[str] = []

    def known(self, kind: str, raw: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(raw, dict):
            self.problems.append(f"{self.file}: {where}: got {raw!r}, must be a mapping")
            return {}
        for field in raw:
            if field not in _UNDERSTOOD[kind].split() and f"{kind}.{field}" not in MEANINGLESS_HERE:
                rule = (
                    "this machine cannot do that; teach pipelines/local.py or name it in MEANINGLESS_HERE with a reason"
                )
                self.problems.append(f"{self.file}: {where}.{field}: not understood: {rule}")
        return raw

    def each(self, kind: str, raw: Any, where: str) -> list[Mapping[str, Any]]:
        return [self.known(kind, item, f"{where}[{i}]") for i, item in enumerate(raw or [])]

    def workflow(self, document: Mapping[str, Any]) -> WorkflowTemplate:
        self.known("document", document, "document")
        metadata = self.known("metadata", document.get("metadata", {}), "metadata")
        spec = self.known("spec", document.get("spec", {}), "spec")
        arguments = self.known("arguments", spec.get("arguments", {}), "spec.arguments")
        locks = self.known("synchronization", spec.get("synchronization", {}), "spec.synchronization")
        templates = [self.template(t, f"spec.templates[{i}]") for i, t in enumerate(spec.get("templates") or [])]
        named = {template.name: template for template in templates}
        used = {
            spec.get("entrypoint", ""),
            spec.get("onExit", ""),
            *(task.template for t in templates for task in t.tasks),
        }
        for missing in sorted(used - set(named) - {""}):
            self.problems.append(f"{self.file}: template {missing!r} is used and not there")
        return WorkflowTemplate(
            name=str(metadata.get("name", "")),
            entrypoint=str(spec.get("entrypoint", "")),
            on_exit=str(spec.get("onExit", "")),
            parameters=self.parameters(arguments.get("parameters"), "spec.arguments.parameters"),
            templates=named,
            mutexes=tuple(str(lock["name"]) for lock in self.each("mutex", locks.get("mutexes"), "mutexes")),
            deadline_seconds=float(spec.get("activeDeadlineSeconds", "inf")),
            parallelism=int(spec.get("parallelism", 0)),
        )

    def parameters(self, raw: Any, where: str) -> tuple[Parameter, ...]:
        return tuple(self.parameter(item, where) for item in self.each("parameter", raw, where))

    def parameter(self, raw: Mapping[str, Any], where: str) -> Parameter:
        source = self.known("valueFrom", raw.get("valueFrom", {}), f"{where}.valueFrom")
        value = raw.get("value", raw.get("default"))
        text = None if value is None else str(value)
        return Parameter(str(raw.get("name")), text, str(source.get("path", "")), str(raw.get("globalName", "")))

    def artifacts(self, raw: Any, where: str) -> tuple[Artifact, ...]:
        return tuple(self.artifact(item, where) for item in self.each("artifact", raw, where))

    def artifact(self, raw: Mapping[str, Any], where: str) -> Artifact:
        git = self.known("git", raw.get("git", {}), f"{where}.git")
        return Artifact(
            name=str(raw.get("name")),
            path=str(raw.get("path", "")),
            repo=str(git.get("repo", "")),
            revision=str(git.get("revision", "")),
            origin=str(raw.get("from", "")),
            optional=bool(raw.get("optional", False)),
        )

    def template(self, given: Any, where: str) -> Template:
        raw = self.known("template", given, where)
        inputs = self.known("inputs", raw.get("inputs", {}), f"{where}.inputs")
        outputs = self.known("outputs", raw.get("outputs", {}), f"{where}.outputs")
        dag = self.known("dag", raw.get("dag", {}), f"{where}.dag")
        if ("container" in raw) == ("dag" in raw):
            self.problems.append(f"{self.file}: {where}: must have either a container or a dag")
        return Template(
            name=str(raw.get("name")),
            inputs=self.parameters(inputs.get("parameters"), f"{where}.inputs.parameters"),
            input_artifacts=self.artifacts(inputs.get("artifacts"), f"{where}.inputs.artifacts"),
            outputs=self.parameters(outputs.get("parameters"), f"{where}.outputs.parameters"),
            output_artifacts=self.artifacts(outputs.get("artifacts"), f"{where}.outputs.artifacts"),
            container=self.container(raw["container"], f"{where}.container") if "container" in raw else None,
            tasks=tuple(self.task(task, where) for task in self.each("task", dag.get("tasks"), f"{where}.dag.tasks")),
            retry=self.retry(raw.get("retryStrategy"), f"{where}.retryStrategy"),
            deadline_seconds=float(raw.get("activeDeadlineSeconds", "inf")),
        )

    def container(self, given: Any, where: str) -> Container:
        raw = self.known("container", given, where)
        environment = self.each("env", raw.get("env"), f"{where}.env")
        mounts = self.each("volumeMount", raw.get("volumeMounts"), f"{where}.volumeMounts")
        return Container(
            argv=(*_texts(raw.get("command")), *_texts(raw.get("args"))),
            environment=tuple((str(e["name"]), str(e["value"])) for e in environment if "value" in e),
            working_dir=str(raw.get("workingDir", "")),
            mounts=tuple(str(mount.get("mountPath")) for mount in mounts),
        )

    def task(self, raw: Mapping[str, Any], where: str) -> Task:
        where = f"{where}.{raw.get('name')}"
        arguments = self.known("arguments", raw.get("arguments", {}), f"{where}.arguments")
        return Task(
            name=str(raw.get("name")),
            template=str(raw.get("template")),
            depends=str(raw.get("depends") or " && ".join(_texts(raw.get("dependencies")))),
            when=str(raw.get("when", "")),
            parameters=self.parameters(arguments.get("parameters"), f"{where}.parameters"),
            artifacts=self.artifacts(arguments.get("artifacts"), f"{where}.artifacts"),
            with_param=str(raw.get("withParam", "")),
        )

    def retry(self, given: Any, where: str) -> Retry:
        if given is None:
            return Retry()
        raw = self.known("retryStrategy", given, where)
        if raw.get("retryPolicy", "OnFailure") not in ("Always", "OnFailure"):
            self.problems.append(
                f"{self.file}: {where}.retryPolicy: got {raw['retryPolicy']}, Always or OnFailure here"
            )
        backoff = self.known("backoff", raw.get("backoff", {}), f"{where}.backoff")
        return Retry(
            limit=int(raw.get("limit", 0)),
            expression=str(raw.get("expression", "")),
            seconds=self.seconds(backoff.get("duration", "0"), where),
            factor=float(backoff.get("factor", 1)),
            max_seconds=self.seconds(backoff.get("maxDuration", "1000h"), where),
            cap=self.seconds(backoff.get("cap", "1000h"), where),
        )

    def seconds(self, given: object, where: str) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", str(given))
        if match is None:
            self.problems.append(f"{self.file}: {where}: got {given!r}, must be a duration such as 10s")
            return 0.0
        return float(match[1]) * _SECONDS[match[2]]


def _texts(raw: Sequence[object] | None) -> tuple[str, ...]:
    return tuple(str(item) for item in raw or ())
