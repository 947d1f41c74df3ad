"""One process of a local workflow: its own group, ended as a whole, and never left behind.

A killed executor cannot end its children. Each child therefore holds a lock on a file that names its group, so the next
executor sees that it still lives, and ends it before the same work begins again.
"""

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from models.errors import MainlineError

GRACE_SECONDS = 5.0  # between the polite signal and the hard one: a checkpoint is written in less
_STEP_SECONDS = 0.05
# The shell writes its own number before it becomes the command, so that no child lives without its number on file.
_WRAPPER = 'echo $$ > "$0" && exec "$@"'


class DeadlineExceeded(MainlineError):  # noqa: N818  (the domain's word)
    """A try, or the whole workflow, took longer than its activeDeadlineSeconds."""


class Stopped(MainlineError):  # noqa: N818  (the domain's word)
    """The executor was asked to end; its processes are gone."""


class Processes:
    """The running process groups of one workflow."""

    def __init__(self) -> None:
        self.stopping = threading.Event()

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        log: Path,
        lock: Path,
        deadline: float,
    ) -> int:
        """The exit code of a command whose both streams go to the end of `log`; minus the signal's number if killed.

        Args:
            lock: file that says which group runs, as long as it runs.
            deadline: time.monotonic() after which the group is ended.

        Raises:
            DeadlineExceeded, Stopped: the group was ended.
            OSError: the command cannot be started.
        """
        with log.open("ab") as output, lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = subprocess.Popen(
                ["/bin/sh", "-c", _WRAPPER, str(lock), *argv],
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[held.fileno()],
            )
        try:
            return self._wait(process, deadline)
        finally:
            # what the command left running ends with it, as in a container
            _signal(process.pid, signal.SIGKILL)
            process.wait()

    def sleep(self, seconds: float) -> None:
        """Wait, unless asked to end.

        Raises:
            Stopped: asked to end.
        """
        if self.stopping.wait(seconds):
            raise Stopped("stopped while waiting for the next try")

    def _wait(self, process: "subprocess.Popen[bytes]", deadline: float) -> int:
        while True:
            try:
                return process.wait(timeout=_STEP_SECONDS)
            except subprocess.TimeoutExpired:
                late = time.monotonic() > deadline
                if late or self.stopping.is_set():
                    _end(process)
                    raise (DeadlineExceeded if late else Stopped)("ended before it was done") from None


def end_orphan(lock: Path) -> bool:
    """Ends the group that a killed executor left behind; whether there was one."""
    if not lock.exists():
        return False
    with lock.open("r") as held:
        for attempt in range(int(GRACE_SECONDS / _STEP_SECONDS)):
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # while the lock is held the number cannot belong to anybody else
                held.seek(0)
                if (number := held.read().strip()).isdigit():
                    _signal(int(number), signal.SIGKILL)
                time.sleep(_STEP_SECONDS)
            else:
                return attempt > 0
    raise MainlineError(f"{lock}: a process of a former run holds it and does not end; end it and try again")


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the lock file, after whoever holds it now; a killed holder lets go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _end(process: "subprocess.Popen[bytes]") -> None:
    _signal(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process.pid, signal.SIGKILL)
        process.wait()


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # gone; macOS says so of a group of zombies with the latter
        return
