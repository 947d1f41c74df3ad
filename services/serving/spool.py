"""What waits to be written to an object store, and the thread that writes it: for the capture log and for feedback.

Whoever puts something in never waits for the store: memory is bounded, and what does not fit is told so at once. A
store that fails or hangs costs a part, which is counted and logged, never an answer.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from services.logs import log

# After draining, the pod's grace period leaves 5 s to flush (manifests/serving/rollout.yaml), for all logs together.
CLOSE_SECONDS = 5.0
# Of a core, for the thread that writes: what comes faster than it packs does not fit, in time.
WRITER_SHARE = 0.1

Write = Callable[[str, bytes], object]


class Entry(Protocol):
    """What a spool holds: when it happened, aware, about what it takes in memory, and of how many requests it is."""

    @property
    def at(self) -> datetime: ...

    @property
    def n_bytes(self) -> int: ...

    @property
    def n_requests(self) -> int: ...


E = TypeVar("E", bound=Entry)


class Spool(Generic[E]):
    """A bounded buffer and the thread that empties it, one part an hour of entries.

    Args:
        name: of the log, in lines about it and of its thread.
        max_bytes: of what waits and of what is being written.
        flush_seconds: time between two parts; what a node that dies takes with it.
        write: puts a part of an hour (`YYYY-MM-DDTHH`, UTC) into the store; raises where it cannot.
        lost: is told of entries that were given up.
        gather: gives what its owner held back until now, each time that a part is written.
    """

    def __init__(
        self,
        name: str,
        *,
        max_bytes: int,
        flush_seconds: float,
        write: Callable[[str, list[E]], None],
        lost: Callable[[Sequence[E]], None],
        gather: Callable[[], Sequence[E]] = tuple,
    ) -> None:
        self.name = name
        self._max_bytes = max_bytes
        self._flush_seconds = flush_seconds
        self._write = write
        self._lost = lost
        self._gather = gather
        self._lock = threading.Lock()
        self._waiting: list[E] = []
        self._held_bytes = 0
        self._writing: list[E] = []
        self._due = threading.Event()
        self._ended = False
        self._used = 0.0  # seconds of a processor that the thread had used at its last breath
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def put(self, entry: E) -> bool:
        """Takes an entry, or says that it does not fit. Never blocks on I/O."""
        with self._lock:
            fits = self._held_bytes + entry.n_bytes <= self._max_bytes
            if fits:
                self._held_bytes += entry.n_bytes
                self._waiting.append(entry)
            crowded = self._held_bytes > self._max_bytes // 2
        if crowded:
            self._due.set()
        return fits

    def hurry(self) -> None:
        """Has what waits written now, though it is not time yet."""
        self._due.set()

    def flush(self) -> None:
        """Writes what waits. A part that cannot be written is given up."""
        self._used = time.thread_time()
        self._lost([entry for entry in self._gather() if not self.put(entry)])
        with self._lock:
            self._writing, self._waiting = self._waiting, []
        hours: dict[str, list[E]] = defaultdict(list)
        for entry in self._writing:
            hours[entry.at.strftime("%Y-%m-%dT%H")].append(entry)
        for hour, entries in hours.items():
            try:
                self._write(hour, entries)
            except Exception as err:  # noqa: BLE001  (whatever a store raises; counted and logged)
                told = {"requests": _requests(entries), "reason": type(err).__name__}
                log.error(f"{self.name} part dropped", extra=told)
                self._lost(entries)
        with self._lock:  # only now: what is being written still takes its place in memory
            self._held_bytes -= sum(entry.n_bytes for entry in self._writing)
            self._writing = []

    def breathe(self) -> None:
        """Lets others run, so long that the thread has a share of the core at most; at the end only as they ask."""
        used = time.thread_time() - self._used
        time.sleep(0 if self._ended else used * (1 / WRITER_SHARE - 1))
        self._used = time.thread_time()

    def end(self) -> None:
        """Asks the thread to write what waits, and to end."""
        self._ended = True
        self._due.set()

    def join(self, until: float) -> None:
        """Waits until it has, at most to the monotonic time `until`; gives up what the store still holds up then."""
        if not self._thread.is_alive():
            return
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():  # a daemon: the process ends without it
            with self._lock:
                lost = self._writing + self._waiting
            self._lost(lost)
            told = {"requests": _requests(lost), "seconds": CLOSE_SECONDS}
            log.error(f"{self.name} log not written in time", extra=told)

    def _run(self) -> None:
        while not self._ended:
            self._due.wait(self._flush_seconds)
            self._due.clear()
            self.flush()
        self.flush()


def close(spools: Sequence[Spool[Any]]) -> None:
    """Writes what waits in all of them, side by side, and ends them: a store that hangs costs its seconds once."""
    until = time.monotonic() + CLOSE_SECONDS
    for spool in spools:
        spool.end()
    for spool in spools:
        spool.join(until)


def _requests(entries: Sequence[Entry]) -> int:
    return sum(entry.n_requests for entry in entries)
