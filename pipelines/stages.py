"""Long work shown as stages: a spinner with elapsed time while one runs, one line when it ends, a log file for each.

Used by `mainline demo`. A stage that fails names itself and its log; nothing after it runs.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from models.errors import MainlineError

KEPT_LINES = 12  # of a failed command's output: enough for a traceback's end, few enough for one screen


class StageFailed(MainlineError):  # noqa: N818  (states what is so)
    """A stage did not do what it is there for; the message names it and its log."""


@dataclass
class Stage:
    """One stage while it runs.

    Attributes:
        name: what it does, in a few words.
        log: file that receives the output of its commands.
        started: seconds since the first stage began.
        seconds: how long it took; 0 while it runs.
        status: "running", "done" or "failed".
        detail: what came of it, set by the stage's own code.
    """

    name: str
    log: Path
    started: float
    seconds: float = 0.0
    status: str = "running"
    detail: str = ""
    _say: Callable[[str], None] = field(default=lambda _: None, repr=False)

    def say(self, line: str) -> None:
        """Show `line` beside the spinner."""
        self._say(line)

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        accepted: Sequence[int] = (0,),
    ) -> tuple[int, str]:
        """Run a command, its output going to the log and, line by line, beside the spinner.

        Returns:
            The exit status and what was printed (both streams, in order).

        Raises:
            StageFailed: an exit status that is not `accepted`.
        """
        shown = " ".join(str(part) for part in command)
        with self.log.open("a") as log:
            log.write(f"$ {shown}\n")
            status, lines = _stream(command, cwd, environment, log, self.say)
        if status not in accepted:
            tail = "\n".join(lines[-KEPT_LINES:])
            raise StageFailed(f"`{shown}` ended with status {status}\n{tail}")
        return status, "\n".join(lines)


def _stream(
    command: Sequence[str | os.PathLike[str]],
    cwd: Path,
    environment: Mapping[str, str],
    log: TextIO,
    say: Callable[[str], None],
) -> tuple[int, list[str]]:
    lines = []
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        if process.stdout is None:
            raise StageFailed(f"no output pipe for {command[0]}")
        for line in process.stdout:
            log.write(line)
            lines.append(line.rstrip())
            say(lines[-1].removeprefix("remote: "))
    return process.returncode, lines


class Stages:
    """Runs stages in order and remembers them for the report."""

    def __init__(self, console: Console, logs: Path) -> None:
        self.console = console
        self.logs = logs
        self.finished: list[Stage] = []
        self._begin = time.monotonic()
        logs.mkdir(parents=True, exist_ok=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the first stage began."""
        return time.monotonic() - self._begin

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Show and time a stage.

        Raises:
            StageFailed: whatever went wrong inside, with the stage's name and log.
        """
        slug = "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
        log = self.logs / f"{len(self.finished) + 1:02d}-{slug}.log"
        stage = Stage(name=name, log=log, started=self.elapsed)
        with self._spinner(name) as say:
            stage._say = say
            try:
                yield stage
            except MainlineError as error:
                self._end(stage, "failed")
                raise StageFailed(f"stage '{name}' failed: {error}\nits log: {log}") from error
            except BaseException:
                self._end(stage, "failed")
                raise
        self._end(stage, "done")

    @contextmanager
    def _spinner(self, name: str) -> Iterator[Callable[[str], None]]:
        if not self.console.is_terminal:
            yield lambda _: None
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[line]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task: TaskID = progress.add_task(escape(name), line="", total=None)
            width = max(20, self.console.width - len(name) - 16)
            yield lambda line: progress.update(task, line=escape(line[:width]))

    def _end(self, stage: Stage, status: str) -> None:
        stage.status, stage.seconds = status, self.elapsed - stage.started
        self.finished.append(stage)
        mark = "[green]✓[/]" if status == "done" else "[red]✗[/]"
        self.console.print(
            f"{mark} {stage.seconds:6.1f} s  {escape(stage.name)}  [dim]{escape(stage.detail)}[/]", soft_wrap=True
        )
