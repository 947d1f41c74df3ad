"""One task of a local workflow: its text filled in, tried, retried, and its outputs kept whole or not at all.

A try writes into a folder of its own, which is renamed to the task's name once everything that the template promises is
there. A task is remembered by what decided it: its filled text and the tasks that it took something from. So a workflow
that was killed goes on where it was, and half-written outputs are never seen.
"""

import hashlib
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import ConfigError
from pipelines.expressions import Value, holds
from pipelines.process import DeadlineExceeded, Processes, end_orphan
from pipelines.workflow_template import Artifact, Template

IMAGE_CODE = "/app"
DONE = "done.json"
_Outputs = tuple[Mapping[str, str], Mapping[str, Path]]


@dataclass(frozen=True)
class Given:
    """An input artifact as it lies here, and what it was made from."""

    path: Path
    key: str


@dataclass(frozen=True)
class Outcome:
    """How a task ended: Succeeded, Failed, Error, Skipped or Omitted."""

    status: str
    message: str = ""
    seconds: float = 0.0
    exit_code: int | None = None
    reused: bool = False
    key: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    log: Path | None = None


def fill(text: str, scope: Mapping[str, str], where: str, *, unresolved: str = r"(?!)") -> str:
    """The text with every `{{name}}` replaced.

    Args:
        unresolved: names, as a regular expression, that stay as they stand when nothing is known of them, as in Argo.

    Raises:
        ConfigError: a name that nothing is known of.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in scope and not re.fullmatch(unresolved, name):
            raise ConfigError(
                [f"{where}: {{{{{name}}}}}: nothing of that name is known here; known: {', '.join(scope)}"]
            )
        return scope.get(name, match[0])

    return re.sub(r"{{([^{}]*)}}", value, text)


def fan_out(text: str, where: str) -> list[dict[str, str]]:
    """The items of a `withParam`, each as the names that it gives: `item`, and `item.<key>` of an object.

    Raises:
        ConfigError: the text is no JSON list.
    """
    try:
        items = json.loads(text)
    except ValueError:
        items = None
    if not isinstance(items, list):
        raise ConfigError([f"{where}: withParam: got {text[:200]!r}, must be a JSON list"])
    return [
        {"item": _text(item)}
        | ({f"item.{key}": _text(value) for key, value in item.items()} if isinstance(item, dict) else {})
        for item in items
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class TaskRun:
    """Everything that one task needs to run.

    Attributes:
        folder: work/<workflow>; the task's own folder is made in it.
        scope: names of the workflow's and the task's values.
        unresolved: see `fill`.
        environment: whole environment that the template's own is laid over.
        application: what `/app` is here.
        deadline: time.monotonic() when the whole workflow ends.
        remember: whether a former success counts; not for an exit handler.
    """

    name: str
    template: Template
    folder: Path
    scope: Mapping[str, str]
    inputs: Mapping[str, Given]
    environment: Mapping[str, str]
    application: Path
    processes: Processes
    deadline: float
    say: Callable[[str, str], None]
    unresolved: str = r"(?!)"
    remember: bool = True

    def run(self) -> Outcome:
        """Run the container until it succeeds, its retries end, or a former success is found."""
        started = time.monotonic()
        log = self.folder / "logs" / f"{self.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        key = self.key()
        if self.remember and (former := self._former(key)) is not None:
            return Outcome("Succeeded", "done by a former run", 0.0, 0, True, key, *former, log)
        retry, attempt = self.template.retry, 0
        while True:
            code, message = self._try(attempt, log, key)
            if code == 0:
                seconds = time.monotonic() - started
                return Outcome("Succeeded", "", seconds, 0, False, key, *self._outputs(), log)
            wait = min(retry.seconds * retry.factor**attempt, retry.cap)
            elapsed = time.monotonic() - started
            if attempt >= retry.limit or elapsed + wait > retry.max_seconds or not self._again(code, attempt):
                return Outcome("Failed", message, elapsed, code, key=key, log=log)
            attempt += 1
            self.say("Retrying", f"{message}; try {attempt + 1} of {retry.limit + 1} in {wait:.0f} s")
            self.processes.sleep(wait)

    def key(self) -> str:
        """sha256 of what decides the outputs: the text as a cluster would run it, and where inputs came from."""
        assert self.template.container is not None  # noqa: S101  (a DAG has no key)
        container, logical = self.template.container, {**self.scope, "retries": "", **self._paths(lambda path: path)}
        text = [*container.argv, container.working_dir, *(value for _, value in container.environment)]
        filled = [fill(part, logical, self.name, unresolved=self.unresolved) for part in text]
        origins = {name: given.key for name, given in self.inputs.items()}
        return hashlib.sha256(json.dumps([filled, origins], sort_keys=True).encode()).hexdigest()

    def _try(self, attempt: int, log: Path, key: str) -> tuple[int, str]:
        """Exit code (-1 where there is none) and a message for people."""
        root = self.folder / f"{self.name}.try"
        end_orphan(root / "lock")
        shutil.rmtree(root, ignore_errors=True)
        self.say("Running", "")
        scratch = self.folder.parent / ".scratch"
        argv, cwd, environment = self._command(root, scratch, attempt)
        deadline = min(self.deadline, time.monotonic() + self.template.deadline_seconds)
        try:
            code = self.processes.run(
                argv, cwd=cwd, environment=environment, log=log, lock=root / "lock", deadline=deadline
            )
        except DeadlineExceeded:
            return -1, f"took longer than activeDeadlineSeconds allows; see {log}"
        except OSError as err:
            return 64, f"{argv[0]} cannot be started in {cwd}: {err}"
        if code != 0:
            return code, f"exit code {code}; {_last_line(log)}"
        if missing := self._missing(root):
            return 64, f"promised and not written: {', '.join(missing)}; see {log}"
        self._keep(root, key)
        return 0, ""

    def _command(self, root: Path, scratch: Path, attempt: int) -> tuple[list[str], Path, dict[str, str]]:
        container = self.template.container
        assert container is not None  # noqa: S101  (only containers are tried)
        for path in (*container.mounts, *(a.path for a in self.template.output_artifacts)):
            (_inside(root, path) if path in container.mounts else _inside(root, path).parent).mkdir(
                parents=True, exist_ok=True
            )
        for parameter in self.template.outputs:
            _inside(root, parameter.path).parent.mkdir(parents=True, exist_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        scope = {**self.scope, "retries": str(attempt), **self._paths(lambda path: str(_inside(root, path)))}

        def local(text: str) -> str:
            return fill(text, scope, self.name, unresolved=self.unresolved)

        environment = dict(self.environment)
        for name, value in container.environment:
            text = local(value)
            # homes and caches in a mounted folder: shared by the tasks, since a cache that is always cold is no cache
            if any(text == mount or text.startswith(f"{mount}/") for mount in container.mounts):
                cache = _inside(scratch, text)
                cache.mkdir(parents=True, exist_ok=True)
                text = str(cache)
            environment[name] = text
        argv = [local(part) for part in container.argv]
        if argv[0] in ("python", "python3"):
            argv[0] = sys.executable
        folder = local(container.working_dir)
        cwd = self.application if folder == IMAGE_CODE else Path(folder) if folder else root
        return argv, cwd, environment

    def _paths(self, local: Callable[[str], str]) -> dict[str, str]:
        """`{{inputs.artifacts.X.path}}` and its like; `local` turns a path of the pod into one of this machine."""
        given = {
            f"inputs.artifacts.{a.name}.path": str(self.inputs[a.name].path) if local("/") != "/" else a.path
            for a in self.template.input_artifacts
            if a.name in self.inputs
        }
        written = {f"outputs.artifacts.{a.name}.path": local(a.path) for a in self.template.output_artifacts}
        return {
            **given,
            **written,
            **{f"outputs.parameters.{p.name}.path": local(p.path) for p in self.template.outputs},
        }

    def _again(self, code: int, attempt: int) -> bool:
        values: dict[str, Value] = {
            "lastRetry.exitCode": str(code),
            "lastRetry.status": "Failed",
            "retries": str(attempt),  # a text, as in Argo
        }
        return not self.template.retry.expression or holds(self.template.retry.expression, values.__getitem__)

    def _missing(self, root: Path) -> list[str]:
        needed = [a.path for a in self.template.output_artifacts if not a.optional]
        needed += [p.path for p in self.template.outputs if p.value is None]
        return [path for path in needed if not _inside(root, path).exists()]

    def _keep(self, root: Path, key: str) -> None:
        written = {}
        for parameter in self.template.outputs:
            file = _inside(root, parameter.path)
            text = file.read_text(encoding="utf-8") if file.exists() else parameter.value or ""
            written[parameter.name] = text.removesuffix("\n")
        (root / DONE).write_text(json.dumps({"key": key, "parameters": written}), encoding="utf-8")
        final = self.folder / self.name
        if final.exists():  # of another text
            shutil.rmtree(self.folder / f"{self.name}.old", ignore_errors=True)
            final.rename(self.folder / f"{self.name}.old")
            shutil.rmtree(self.folder / f"{self.name}.old")
        root.rename(final)

    def _former(self, key: str) -> _Outputs | None:
        note = self.folder / self.name / DONE
        if not note.is_file() or json.loads(note.read_text(encoding="utf-8"))["key"] != key:
            return None
        return self._outputs()

    def _outputs(self) -> _Outputs:
        final = self.folder / self.name
        parameters = json.loads((final / DONE).read_text(encoding="utf-8"))["parameters"]
        return parameters, _existing(final, self.template.output_artifacts)


def _existing(final: Path, artifacts: tuple[Artifact, ...]) -> dict[str, Path]:
    return {a.name: _inside(final, a.path) for a in artifacts if _inside(final, a.path).exists()}


def _inside(root: Path, path: str) -> Path:
    """A path of the pod's own file system, below `root`."""
    return root / "root" / path.lstrip("/")


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f"{lines[-1][:500]} (log: {log})" if lines else f"it printed nothing (log: {log})"
