"""Stable and candidate as real processes from their pod templates, restarted as the kubelet would when they end."""

import time
from pathlib import Path

from pipelines.rehearsal.child import Child, resident_bytes
from pipelines.rehearsal.revisions import Revision
from pipelines.serve import launch

# The kubelet's: at once, then 10 s, doubled each time, five minutes at most.
_BACKOFF_SECONDS, _MOST_BACKOFF_SECONDS = 10.0, 300.0
# A bundle lies on the same disk: what is not ready then never is.
READY_SECONDS = 30.0
HASH_VARIABLE = "MAINLINE_POD_TEMPLATE_HASH"


class Server:
    """One revision's process at one address."""

    def __init__(self, revision: Revision, home: Path, port: int, *, capture: str, flush_seconds: float = 1.0) -> None:
        self.revision = revision
        self.restarts = 0
        self.port = port
        self._home = home
        self._overrides = {
            HASH_VARIABLE: revision.hash,
            "MAINLINE_CAPTURE_URI": capture,
            "MAINLINE_CAPTURE_SAMPLE": "1",  # so that seconds give what a cluster's sample gives in minutes
            "MAINLINE_CAPTURE_FLUSH_SECONDS": f"{flush_seconds:g}",
        }
        self._child: Child | None = None
        self._due = 0.0

    @property
    def url(self) -> str:
        """Where it answers, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return self._child.process.pid if self._child is not None and self._child.ended is None else None

    def start(self) -> None:
        """Starts the process and returns at once.

        Raises:
            GateClosed: its image is a container's, or nothing is released.
        """
        process = launch(self.revision.pod, port=self.port, home=self._home, overrides=self._overrides)
        log = self._home / "serving.log"
        self._child = Child(self.revision.name, process, log, grace_seconds=min(5.0, self.revision.pod.grace_seconds))

    def tend(self) -> bool:
        """Starts it again where it ended and its back-off is over; whether it did."""
        if self._child is None or self._child.ended is None:
            return False
        now = time.monotonic()
        if self._due == 0.0:
            waits = 0.0 if self.restarts == 0 else _BACKOFF_SECONDS * 2 ** (self.restarts - 1)
            self._due = now + min(waits, _MOST_BACKOFF_SECONDS)
        if now < self._due:
            return False
        self.restarts += 1
        self._due = 0.0
        self.start()
        return True

    def ready(self) -> bool:
        """Whether its readiness probe answers with success now."""
        child = self._child
        return child is not None and child.ended is None and child.answers(self.url + self.revision.pod.ready_path)

    def memory_bytes(self) -> int | None:
        """Resident memory; None while there is no process."""
        return resident_bytes(self.pid) if self.pid is not None else None

    def await_ready(self, timeout_seconds: float = READY_SECONDS) -> None:
        """Returns once it is ready.

        Raises:
            NotStarted: it ended, or was not ready in time.
        """
        if self._child is not None:
            self._child.await_answer(self.url + self.revision.pod.ready_path, timeout_seconds=timeout_seconds)

    def tell(self) -> None:
        """Asks it to drain and end."""
        if self._child is not None:
            self._child.tell()

    def stop(self) -> None:
        """Ends it."""
        if self._child is not None:
            self._child.stop()
