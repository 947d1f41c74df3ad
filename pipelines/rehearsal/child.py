"""A process of a rehearsal: a group of its own, its output in a log, and ended as a whole whatever happens."""

import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from models.errors import MainlineError

_STEP_SECONDS = 0.05
# This machine's addresses need no proxy.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotStarted(MainlineError):  # noqa: N818  (states what is so)
    """Something that the rehearsal itself needs ended, or did not answer in time."""


class Child:
    """One process. `stop` may be called again, and from a handler of a signal."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path, *, grace_seconds: float) -> None:
        self.name, self.process, self.log = name, process, log
        self._grace_seconds = grace_seconds

    @classmethod
    def start(
        cls, name: str, argv: Sequence[str], *, home: Path, environment: Mapping[str, str], grace_seconds: float
    ) -> "Child":
        """Starts a command in `home`, which is made; what it prints goes to `home`/<name>.log."""
        home.mkdir(parents=True, exist_ok=True)
        log = home / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv,
                cwd=home,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, process, log, grace_seconds=grace_seconds)

    @property
    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return self.process.poll()

    def answers(self, url: str, *, timeout_seconds: float = 1.0) -> bool:
        """Whether a GET is answered with success."""
        try:
            with _OPENER.open(url, timeout=timeout_seconds) as answer:
                return bool(200 <= answer.status < 300)
        except (OSError, urllib.error.URLError, ValueError):
            return False

    def await_answer(self, url: str, *, timeout_seconds: float) -> None:
        """Returns once a GET is answered with success.

        Raises:
            NotStarted: it ended before, or the time is over; the message has the end of its log.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self.answers(url):
            if self.ended is not None:
                raise NotStarted(f"{self.name} ended with {self.ended} before it was ready; {self.tail()}")
            if time.monotonic() > deadline:
                raise NotStarted(f"{self.name} was not ready after {timeout_seconds:g} s; {self.tail()}")
            time.sleep(_STEP_SECONDS)

    def tail(self) -> str:
        """The end of its log, in one line."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        return f"{self.log}: {' | '.join(lines) or 'empty'}"

    def tell(self) -> None:
        """Asks it to end, and does not wait."""
        if self.ended is None:
            _signal(self.process.pid, signal.SIGTERM)

    def stop(self) -> None:
        """Asks it to end and insists after its grace period; what it left running ends too."""
        self.tell()
        try:
            self.process.wait(timeout=self._grace_seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _signal(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def terminable() -> Iterator[None]:
    """Within it SIGTERM is as Ctrl-C: an exception, so that everything that was started is ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def free_ports(count: int) -> list[int]:
    """So many ports of this machine that nobody listens on, no two the same."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def resident_bytes(pid: int) -> int | None:
    """Resident memory of a process, as `ps` tells it; None where it is gone."""
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(done.stdout) * 1024 if done.returncode == 0 and done.stdout.strip().isdigit() else None


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # gone; macOS says so of a group of zombies with the latter
        return
