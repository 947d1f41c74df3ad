"""The capture log: sampled rows with their predictions, as compressed JSON lines, for the judge of drift.

The routes offer, one thread writes. Memory is bounded: what does not fit is dropped and counted, none waits. A store
that fails or hangs costs rows of the log, never an answer.
"""

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from services.logs import log
from services.serving import part
from services.serving.metrics import Metrics
from services.serving.part import Captured
from services.serving.settings import Settings

# What may wait, counted as memory: a tenth of the pod's 512 MiB, some 25,000 requests of one small row.
MAX_WAITING_BYTES = 48 * 2**20
# After draining, the pod's grace period leaves 5 s to flush (manifests/serving/rollout.yaml).
CLOSE_SECONDS = 5.0

Write = Callable[[str, bytes], object]


class Capture:
    """A bounded buffer and the thread that empties it."""

    def __init__(self, settings: Settings, metrics: Metrics, *, write: Write, rng: random.Random) -> None:
        self._settings = settings
        self._metrics = metrics
        self._write = write
        self._rng = rng
        self._masked: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._waiting: list[Captured] = []
        self._held_bytes = 0  # of what waits and of what is being written
        self._writing: list[Captured] = []
        self._due = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self, masked: Iterable[str] = ()) -> None:
        """Begins to write what is offered, without the values of the features `masked`."""
        self._masked = frozenset(masked)
        self._thread.start()

    def offer(
        self,
        request_id: str,
        rows: Sequence[Mapping[str, object]],
        predictions: Sequence[Mapping[str, object]],
        *,
        body_bytes: int,
    ) -> None:
        """Takes a request, drops it, or passes it over where the sample does not want it. Never blocks on I/O."""
        if self._rng.random() >= self._settings.capture_sample:
            return
        captured = Captured(datetime.now(UTC), request_id, rows, predictions, part.size(rows, predictions, body_bytes))
        with self._lock:
            fits = self._held_bytes + captured.n_bytes <= MAX_WAITING_BYTES
            if fits:
                self._held_bytes += captured.n_bytes
                self._waiting.append(captured)
            crowded = self._held_bytes > MAX_WAITING_BYTES // 2
        if not fits:
            self._drop([captured])
        if crowded:
            self._due.set()

    def close(self) -> None:
        """Writes what waits, and ends; gives up on a store that takes longer than `CLOSE_SECONDS`."""
        self._ended = True
        self._due.set()
        if not self._thread.is_alive():
            return
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():  # a daemon: the process ends without it
            with self._lock:
                lost = self._writing + self._waiting
            self._drop(lost)
            log.error("capture log not written in time", extra={"requests": len(lost), "seconds": CLOSE_SECONDS})

    def flush(self) -> None:
        """Writes what waits. A part that cannot be written is dropped, counted and logged."""
        with self._lock:
            self._writing, self._waiting = self._waiting, []
        hours: dict[str, list[Captured]] = defaultdict(list)
        for captured in self._writing:
            hours[captured.at.strftime("%Y-%m-%dT%H")].append(captured)
        for hour, requests in hours.items():
            self._write_part(hour, requests)
        with self._lock:  # only now: what is being written still takes its place in memory
            self._held_bytes -= sum(captured.n_bytes for captured in self._writing)
            self._writing = []

    def _run(self) -> None:
        while not self._ended:
            self._due.wait(self._settings.capture_flush_seconds)
            self._due.clear()
            self.flush()
        self.flush()

    def _write_part(self, hour: str, requests: list[Captured]) -> None:
        newest = max(captured.at for captured in requests)
        try:
            data = part.encode(self._settings, requests, self._masked)
            self._write(part.address(self._settings, hour, newest), data)
        except Exception as err:  # noqa: BLE001  (whatever a store raises; counted and logged)
            log.error("capture part dropped", extra={"requests": len(requests), "reason": type(err).__name__})
            self._drop(requests)
        else:
            self._metrics.captured.inc(len(requests))
            self._metrics.captured_rows.inc(_rows(requests))

    def _drop(self, requests: Sequence[Captured]) -> None:
        self._metrics.capture_dropped.inc(len(requests))
        self._metrics.capture_dropped_rows.inc(_rows(requests))


def _rows(requests: Sequence[Captured]) -> int:
    return sum(len(captured.rows) for captured in requests)
