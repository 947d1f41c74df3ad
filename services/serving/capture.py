"""The capture log: sampled rows with their predictions, as compressed JSON lines, for the judge of drift.

The routes offer, one thread writes. Memory is bounded: what does not fit is dropped and counted, none waits. A store
that fails or hangs costs rows of the log, never an answer.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import orjson

from services.logs import log
from services.serving import part
from services.serving.metrics import Metrics
from services.serving.part import Captured, Packed, Packer
from services.serving.settings import Settings

# What may wait, counted as memory: a tenth of the pod's 512 MiB, some 25,000 requests of one small row.
MAX_WAITING_BYTES = 48 * 2**20
# After draining, the pod's grace period leaves 5 s to flush (manifests/serving/rollout.yaml).
CLOSE_SECONDS = 5.0
# Of a core, for the thread that writes: what comes faster than it packs is dropped and counted.
WRITER_SHARE = 0.25
# Of packed lines: then they are written, though it is not time yet. A store takes some of this size a second.
PACKED_BYTES = 2 * 2**20

Write = Callable[[str, bytes], object]


class Capture:
    """A bounded buffer and the thread that empties it."""

    def __init__(self, settings: Settings, metrics: Metrics, *, write: Write, rng: random.Random) -> None:
        self._settings = settings
        self._metrics = metrics
        self._write = write
        self._rng = rng
        self._sample = settings.capture_sample
        self._masked: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._packing = threading.Lock()
        self._packer = Packer()
        self._waiting: list[Captured | Packed] = []
        self._held_bytes = 0  # of what waits and of what is being written
        self._writing: list[Captured | Packed] = []
        self._due = threading.Event()
        self._ended = False
        self._used = 0.0  # seconds of a processor that the thread had used at its last breath
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
        body: bytes = b"",
        n_bytes: int = 0,
    ) -> None:
        """Takes a request, drops it, or passes it over where the sample does not want it. Never blocks on I/O.

        Args:
            rows: by name, looked at only when they are written.
            body_bytes: size of the body that held them.
            body: what held them, where they may be copied from it.
            n_bytes: what rows and predictions take in memory; 0 to find it from `body_bytes` and the first of each.
        """
        if not self.wants():
            return
        size = n_bytes or part.size(rows, predictions, body_bytes)
        self._put(Captured(datetime.now(UTC), request_id, rows, predictions, size, body))

    def _put(self, captured: Captured | Packed) -> None:
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

    def wants(self) -> bool:
        """Whether the sample takes the next request."""
        return self._sample >= 1.0 or self._rng.random() < self._sample

    def line(self, at: str, request_id: bytes, body: bytes, row: Mapping[str, object], prediction: bytes) -> bytes:
        """What is written of a request of one row; its body as it came where that is one line and nothing is masked."""
        if self._masked:
            body = orjson.dumps({name: value for name, value in row.items() if name not in self._masked})
        elif b"\n" in body or b"\r" in body:
            body = body.translate(None, b"\r\n")  # no string of JSON has any
        return part.line(at, request_id, body, prediction)

    def offer_lines(self, at: datetime, lines: Sequence[bytes]) -> None:
        """Takes requests of one row each, that `wants` wanted, or drops them. Never blocks on I/O."""
        with self._packing:
            full = None if self._packer.is_of(at) else self._packer.end()
            if full is not None:
                self._packer = Packer()
            self._packer.add(at, lines)
            if self._packer.n_bytes >= PACKED_BYTES:
                full, self._packer = self._packer.end(), Packer()
        if full is not None:
            self._put(full)
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
            log.error("capture log not written in time", extra={"requests": _requests(lost), "seconds": CLOSE_SECONDS})

    def flush(self) -> None:
        """Writes what waits. A part that cannot be written is dropped, counted and logged."""
        with self._packing:
            packed, self._packer = self._packer.end(), Packer()
        if packed is not None:
            self._put(packed)
        with self._lock:
            self._writing, self._waiting = self._waiting, []
        hours: dict[str, list[Captured | Packed]] = defaultdict(list)
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
            self._used = time.thread_time()
            self.flush()
        self.flush()

    def _breathe(self) -> None:
        """Lets others run, so long that this thread has a share of the core at most; at the end only as they ask."""
        used = time.thread_time() - self._used
        time.sleep(0 if self._ended else used * (1 / WRITER_SHARE - 1))
        self._used = time.thread_time()

    def _write_part(self, hour: str, requests: list[Captured | Packed]) -> None:
        newest = max(captured.at for captured in requests)
        try:
            data = part.encode(self._settings, requests, self._masked, self._breathe)
            self._write(part.address(self._settings, hour, newest), data)
        except Exception as err:  # noqa: BLE001  (whatever a store raises; counted and logged)
            log.error("capture part dropped", extra={"requests": _requests(requests), "reason": type(err).__name__})
            self._drop(requests)
        else:
            self._metrics.captured.inc(_requests(requests))
            self._metrics.captured_rows.inc(_rows(requests))

    def _drop(self, requests: Sequence[Captured | Packed]) -> None:
        self._metrics.capture_dropped.inc(_requests(requests))
        self._metrics.capture_dropped_rows.inc(_rows(requests))


def _rows(requests: Sequence[Captured | Packed]) -> int:
    return sum(captured.n_rows for captured in requests)


def _requests(requests: Sequence[Captured | Packed]) -> int:
    return sum(captured.n_requests for captured in requests)
