"""Runs a rendered WorkflowTemplate on this machine: containers become processes, artifacts become folders.

The same text runs on a cluster. What a field that this machine cannot honour stands for is written down in
`pipelines.workflow_template`; any other is refused. Called by `mainline train` and by the push queue.

A workflow is known by its name. Run again after a kill it goes on where it was: finished tasks are remembered,
everything else starts anew. Artifacts are handed on by path, not copied, so a step must not write into its inputs.
"""

import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from models.errors import ConfigError, MainlineError
from pipelines.expressions import Value, holds
from pipelines.local_task import Given, Outcome, TaskRun, fan_out, fill
from pipelines.process import Processes, end_orphan, exclusive
from pipelines.workflow_template import Artifact, Task, Template, WorkflowTemplate, read_template

ROOT = Path(__file__).resolve().parent.parent
_EXIT = "onExit"
_WORST = ("Succeeded", "Failed", "Error")
_UNBOUNDED = 1000  # containers at once where a workflow names no parallelism


@dataclass(frozen=True)
class Event:
    """Something that happened to a task: Running, Retrying, Succeeded, Failed, Error, Skipped or Omitted."""

    workflow: str
    task: str
    status: str
    seconds: float
    message: str


@dataclass(frozen=True)
class Result:
    """How a workflow ended.

    Attributes:
        phase: Succeeded, Failed or Error.
        message: the first failed task's message; empty on success.
        tasks: by name; an exit handler's under `onExit`.
        exit_code: 0, or that of the first task that failed (1 where it had none of ours).
    """

    workflow: str
    phase: str
    message: str
    seconds: float
    exit_code: int
    tasks: Mapping[str, Outcome]

    def output(self, task: str, parameter: str, default: str = "") -> str:
        """An output parameter, or the default where the task did not run."""
        return self.tasks[task].parameters.get(parameter, default) if task in self.tasks else default


def run_workflow(
    template: Path,
    parameters: Mapping[str, str],
    *,
    name: str,
    work: Path,
    repo: Path,
    environment: Mapping[str, str] | None = None,
    application: Path = ROOT,
    on_event: Callable[[Event], None] = lambda _: None,
) -> Result:
    """Run the template to its end; a second call with the same name goes on, or finds everything done.

    Args:
        parameters: values of the workflow's parameters; those without a default must be here.
        name: of the workflow, unique per commit and model.
        work: folder that holds one folder per workflow: outputs, logs, the tree of the commit.
        repo: repository whose objects include the commits of git artifacts, in place of the URL that they name.
        environment: whole environment of the processes, below what the template sets; this process's where absent.
        application: what `/app`, the image's own code, is here.
        on_event: called from several threads, one call at a time.

    Raises:
        ConfigError: the template or the parameters are wrong; nothing was run.
        KeyboardInterrupt: Ctrl-C or SIGTERM; every process that was started is gone.
    """
    workflow = read_template(template)
    scope = {f"workflow.parameters.{k}": v for k, v in _parameters(workflow, parameters, template).items()}
    scope["workflow.name"] = name
    base = {k: v for k, v in (os.environ if environment is None else environment).items() if k not in _git_variables()}
    run = _Run(workflow, name, scope, work / name, repo.resolve(), base, application, on_event)
    with ExitStack() as stack:
        stack.enter_context(exclusive(work / ".locks" / f"workflow-{name}"))
        for mutex in sorted(workflow.mutexes):
            stack.enter_context(exclusive(work / ".locks" / f"mutex-{fill(mutex, scope, str(template))}"))
        stack.enter_context(_ended_by_signals())
        return run.run()


@dataclass
class _Run:
    workflow: WorkflowTemplate
    name: str
    scope: dict[str, str]
    folder: Path
    repo: Path
    environment: Mapping[str, str]
    application: Path
    on_event: Callable[[Event], None]
    processes: Processes = field(default_factory=Processes)
    tasks: dict[str, Outcome] = field(default_factory=dict)
    speaking: threading.Lock = field(default_factory=threading.Lock)
    slots: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = threading.Semaphore(self.workflow.parallelism or _UNBOUNDED)

    def run(self) -> Result:
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        for lock in self.folder.glob("*.try/lock"):
            end_orphan(lock)
        deadline = started + self.workflow.deadline_seconds
        entry = self.workflow.templates[self.workflow.entrypoint]
        try:
            self._order(entry.tasks or (_only(entry),), deadline)
            phase, message, code = self._verdict(entry.tasks)
            if self.workflow.on_exit:
                self._finish(phase)
        except BaseException:
            self.processes.stopping.set()
            raise
        ended = self.tasks.get(_EXIT)
        if phase == "Succeeded" and ended is not None and ended.status != "Succeeded":
            phase, message, code = "Error", f"exit handler: {ended.message}", ended.exit_code or 1
        return Result(self.name, phase, message, time.monotonic() - started, code, dict(self.tasks))

    def _order(self, tasks: tuple[Task, ...], deadline: float) -> None:
        """Start every task as soon as what it depends on has ended, independent ones side by side."""
        waiting = {task.name: task for task in tasks}
        _refuse_unknown(waiting)
        ended: queue.SimpleQueue[tuple[str, Outcome | BaseException]] = queue.SimpleQueue()
        running = 0
        with ThreadPoolExecutor(len(tasks)) as pool, _stopping(self.processes):
            while True:
                for task in self._ready(waiting):
                    del waiting[task.name]
                    outcome = self._not_run(task, tasks)
                    if outcome is None:
                        pool.submit(self._in_thread, task, deadline, ended)
                        running += 1
                    else:
                        self._note(task.name, outcome)
                        ended.put((task.name, outcome))
                        running += 1
                if not running:
                    break
                name, result = ended.get()
                running -= 1
                if isinstance(result, BaseException):
                    raise result
                self.tasks[name] = result

    def _ready(self, waiting: Mapping[str, Task]) -> list[Task]:
        return [task for task in waiting.values() if all(name in self.tasks for name in _names(task.depends))]

    def _not_run(self, task: Task, tasks: tuple[Task, ...]) -> Outcome | None:
        """Omitted or Skipped, or None for a task that is to run."""
        if self._unhandled(tasks):
            return Outcome("Omitted", "another task failed")
        if task.depends and not holds(task.depends, lambda word: _state(self.tasks, word)):
            return Outcome("Omitted", f"depends: {task.depends}")
        try:
            if task.when and not holds(fill(task.when, self._scope(), task.name), str):
                return Outcome("Skipped", f"when: {task.when}")
        except ConfigError as err:
            return Outcome("Error", str(err), exit_code=err.exit_code)
        return None

    def _unhandled(self, tasks: tuple[Task, ...]) -> list[str]:
        """Failed tasks whose failure no other task is there for."""
        text = " ".join(task.depends for task in tasks)
        states = {"Failed": "Failed", "Error": "Errored"}
        ended = {name: states[outcome.status] for name, outcome in self.tasks.items() if outcome.status in states}
        return [
            name for name, state in ended.items() if not re.search(rf"(?<![\w-]){re.escape(name)}\.{state}\b", text)
        ]

    def _in_thread(
        self, task: Task, deadline: float, ended: "queue.SimpleQueue[tuple[str, Outcome | BaseException]]"
    ) -> None:
        try:
            outcome = self._each(task, deadline) if task.with_param else self._container(task, deadline)
        except BaseException as err:  # noqa: BLE001  (handed to the thread that waits)
            ended.put((task.name, err))
        else:
            self._note(task.name, outcome)
            ended.put((task.name, outcome))

    def _each(self, task: Task, deadline: float) -> Outcome:
        """A task once for each item of its `withParam`, side by side; the worst of them is what it comes to.

        All are run, whatever becomes of one, as in a DAG of Argo's. What they write has no name of its own: whoever
        refers to it is told that nothing is known of it.
        """
        started = time.monotonic()
        try:
            items = fan_out(fill(task.with_param, self._scope(), task.name), task.name)
        except ConfigError as err:
            return Outcome("Error", str(err), exit_code=err.exit_code)

        def run(index: int) -> Outcome:
            one = replace(task, name=f"{task.name}({index})")
            outcome = self._container(one, deadline, item=items[index])
            self._note(one.name, outcome)
            return outcome

        with ThreadPoolExecutor(len(items) or 1) as pool:
            outcomes = list(pool.map(run, range(len(items))))
        seconds = time.monotonic() - started
        worst = max(outcomes, key=lambda outcome: _WORST.index(outcome.status), default=Outcome("Skipped"))
        if worst.status in ("Succeeded", "Skipped"):
            key = " ".join(outcome.key for outcome in outcomes)
            return Outcome(worst.status, "", seconds, 0, all(outcome.reused for outcome in outcomes), key)
        failed = sum(outcome.status != "Succeeded" for outcome in outcomes)
        return Outcome(worst.status, f"{failed} of {len(items)}: {worst.message}", seconds, worst.exit_code)

    def _container(
        self,
        task: Task,
        deadline: float,
        *,
        unresolved: str = r"(?!)",
        remember: bool = True,
        item: Mapping[str, str] | None = None,
    ) -> Outcome:
        template = self.workflow.templates[task.template]
        if template.container is None:
            raise ConfigError([f"{task.name}: a dag inside a dag is not run here; make {template.name!r} a container"])
        scope = {**self._scope(), **(item or {})}
        try:
            given = {p.name: fill(p.value or "", scope, task.name) for p in task.parameters}
            for parameter in template.inputs:
                value = given.get(parameter.name, parameter.value)
                if value is None:
                    raise ConfigError(
                        [f"{task.name}: inputs.parameters.{parameter.name}: not given, and has no default"]
                    )
                scope[f"inputs.parameters.{parameter.name}"] = value
            inputs = {a.name: found for a in template.input_artifacts if (found := self._artifact(a, task, scope))}
            run = TaskRun(
                name=task.name,
                template=template,
                folder=self.folder,
                scope=scope,
                inputs=inputs,
                environment=self.environment,
                application=self.application,
                processes=self.processes,
                deadline=deadline,
                say=lambda status, message: self._say(task.name, status, 0.0, message),
                unresolved=unresolved,
                remember=remember,
            )
            with self.slots:
                self.processes.sleep(0)  # asked to end while it waited for its turn
                return run.run()
        except ConfigError as err:
            return Outcome("Error", str(err), exit_code=err.exit_code)

    def _artifact(self, declared: Artifact, task: Task, scope: Mapping[str, str]) -> Given | None:
        passed = {artifact.name: artifact for artifact in task.artifacts}.get(declared.name, declared)
        if declared.repo:
            commit = fill(declared.revision, scope, task.name)
            return Given(self._tree(commit), f"{fill(declared.repo, scope, task.name)}@{commit}")
        match = re.fullmatch(r"{{tasks\.([\w-]+)\.outputs\.artifacts\.([\w-]+)}}", passed.origin)
        if match is not None and match[1] in self.tasks and match[2] in self.tasks[match[1]].artifacts:
            return Given(self.tasks[match[1]].artifacts[match[2]], f"{self.tasks[match[1]].key}/{match[2]}")
        if declared.optional:
            return None
        raise ConfigError(
            [f"{task.name}: inputs.artifacts.{declared.name}: {passed.origin or 'nothing'} was not written"]
        )

    def _tree(self, commit: str) -> Path:
        """The code at a commit, made once a workflow: a clone that shares the repository's objects."""
        with self.speaking:
            tree = self.folder / f"source-{commit[:12]}"
            if not tree.exists():
                partial = self.folder / f"source-{commit[:12]}.partial"
                shutil.rmtree(partial, ignore_errors=True)
                clone = ["git", "clone", "--quiet", "--shared", "--no-checkout", str(self.repo), str(partial)]
                for command in (clone, ["git", "-C", str(partial), "checkout", "--quiet", "--detach", commit]):
                    done = subprocess.run(
                        command, capture_output=True, text=True, env=dict(self.environment), check=False
                    )
                    if done.returncode:
                        raise ConfigError([f"{self.repo}: commit {commit}: {done.stderr.strip()}; fetch it first"])
                partial.rename(tree)
            return tree

    def _finish(self, phase: str) -> None:
        """The exit handler; its failure changes no failed workflow. It has the template's own deadline alone."""
        self.scope["workflow.status"] = phase
        template = self.workflow.templates[self.workflow.on_exit]
        task = replace(_only(template), name=_EXIT)
        outcome = self._container(task, float("inf"), unresolved=r"workflow\.outputs\..*", remember=False)
        self._note(_EXIT, outcome)
        self.tasks[_EXIT] = outcome

    def _scope(self) -> dict[str, str]:
        scope = dict(self.scope)
        for name, outcome in list(self.tasks.items()):
            scope[f"tasks.{name}.status"] = outcome.status
            template = next((t for t in self._templates_of(name)), None)
            for parameter, value in outcome.parameters.items():
                scope[f"tasks.{name}.outputs.parameters.{parameter}"] = value
                shared = {p.name: p.shared for p in template.outputs}.get(parameter) if template else None
                if shared:
                    scope[f"workflow.outputs.parameters.{shared}"] = value
        return scope

    def _templates_of(self, task: str) -> Iterator[Template]:
        entry = self.workflow.templates[self.workflow.entrypoint]
        for candidate in entry.tasks or (_only(entry),):
            if candidate.name == task:
                yield self.workflow.templates[candidate.template]

    def _verdict(self, tasks: tuple[Task, ...]) -> tuple[str, str, int]:
        for name in self._unhandled(tasks):
            outcome = self.tasks[name]
            return outcome.status, f"{name}: {outcome.message}", max(outcome.exit_code or 1, 1)
        return "Succeeded", "", 0

    def _note(self, task: str, outcome: Outcome) -> None:
        self._say(task, outcome.status, outcome.seconds, outcome.message)

    def _say(self, task: str, status: str, seconds: float, message: str) -> None:
        with self.speaking:
            self.on_event(Event(self.name, task, status, seconds, message))


def _parameters(workflow: WorkflowTemplate, given: Mapping[str, str], template: Path) -> dict[str, str]:
    known = {parameter.name: parameter.value for parameter in workflow.parameters}
    problems = [
        f"{template}: parameter {name}: not declared; declared: {', '.join(known)}" for name in set(given) - set(known)
    ]
    values = {**known, **given}
    problems += [
        f"{template}: parameter {name}: must be given, it has no default" for name, v in values.items() if v is None
    ]
    if problems:
        raise ConfigError(sorted(problems))
    return {name: str(value) for name, value in values.items()}


def _only(template: Template) -> Task:
    return Task(template.name, template.name, "", "", (), ())


def _names(depends: str) -> set[str]:
    return {word.split(".")[0] for word in re.findall(r"[A-Za-z_][\w.\-]*", depends)}


def _refuse_unknown(tasks: Mapping[str, Task]) -> None:
    problems = [
        f"{task.name}: depends on {name!r}, which is no task; tasks: {', '.join(tasks)}"
        for task in tasks.values()
        for name in sorted(_names(task.depends) - set(tasks))
    ]
    reached: set[str] = set()
    while grown := {t.name for t in tasks.values() if t.name not in reached and _names(t.depends) <= reached}:
        reached |= grown
    if not problems and reached != set(tasks):
        problems = [f"tasks {', '.join(sorted(set(tasks) - reached))} wait for each other; a dag has no circles"]
    if problems:
        raise ConfigError(problems)


def _state(tasks: Mapping[str, Outcome], word: str) -> Value:
    """What `task` or `task.State` is worth in `depends`; a bare name means that it succeeded or was skipped."""
    name, _, state = word.partition(".")
    status = tasks[name].status
    meanings = {"": ("Succeeded", "Skipped"), "Errored": ("Error",), "Succeeded": ("Succeeded",), "Failed": ("Failed",)}
    return status in {**meanings, "Skipped": ("Skipped",), "Omitted": ("Omitted",)}[state]


def _git_variables() -> frozenset[str]:
    """What git tells its hooks; a git that a step starts must find its own repository."""
    names = "DIR WORK_TREE INDEX_FILE OBJECT_DIRECTORY ALTERNATE_OBJECT_DIRECTORIES QUARANTINE_PATH PREFIX COMMON_DIR"
    return frozenset(f"GIT_{name}" for name in names.split())


@contextmanager
def _stopping(processes: Processes) -> Iterator[None]:
    """Ends what runs before the pool waits for its threads."""
    try:
        yield
    except BaseException:
        processes.stopping.set()
        raise


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP become KeyboardInterrupt, so that processes are ended; only the main thread may ask that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    former = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


__all__ = ["Event", "MainlineError", "Result", "run_workflow"]
