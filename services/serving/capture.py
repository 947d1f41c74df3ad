"""The capture log: sampled rows with their predictions, as compressed JSON lines, for the judge of drift.

The routes offer, one thread writes. Memory is bounded: what does not fit is dropped and counted, none waits.
Parts lie at `<uri>/model=<m>/version=<v>/hash=<pod-template-hash>/hour=<YYYY-MM-DDTHH>/<pod>-<random>.jsonl.gz`.
"""

import gzip
import json
import random
import socket
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.serving.logs import log
from services.serving.metrics import Metrics
from services.serving.settings import Settings

# Bytes of request bodies that may wait: as Python objects they take some ten times that.
MAX_WAITING_BYTES = 8 * 2**20
# A judge reads windows of minutes; ten seconds lose little when a node dies, and make 360 parts an hour .
FLUSH_SECONDS = 10.0

Write = Callable[[str, bytes], object]


@dataclass(frozen=True)
class _Captured:
    at: datetime
    request_id: str
    rows: Sequence[Mapping[str, object]]
    predictions: Sequence[Mapping[str, object]]
    n_bytes: int


class Capture:
    """A bounded buffer and the thread that empties it."""

    def __init__(self, settings: Settings, metrics: Metrics, *, write: Write, rng: random.Random) -> None:
        self._settings = settings
        self._metrics = metrics
        self._write = write
        self._rng = rng
        self._lock = threading.Lock()
        self._waiting: list[_Captured] = []
        self._waiting_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begins to write what is offered."""
        self._thread.start()

    def offer(
        self,
        request_id: str,
        rows: Sequence[Mapping[str, object]],
        predictions: Sequence[Mapping[str, object]],
        *,
        n_bytes: int,
    ) -> None:
        """Takes a request, drops it, or passes it over where the sample does not want it. Never blocks on I/O."""
        if self._rng.random() >= self._settings.capture_sample:
            return
        with self._lock:
            if self._waiting_bytes + n_bytes <= MAX_WAITING_BYTES:
                self._waiting_bytes += n_bytes
                self._waiting.append(_Captured(datetime.now(UTC), request_id, rows, predictions, n_bytes))
                return
        self._metrics.capture_dropped.inc()

    def close(self) -> None:
        """Writes what waits, and ends."""
        self._ended.set()
        self._thread.join()

    def flush(self) -> None:
        """Writes what waits. A part that cannot be written is dropped, counted and logged."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        hours: dict[str, list[_Captured]] = defaultdict(list)
        for captured in waiting:
            hours[captured.at.strftime("%Y-%m-%dT%H")].append(captured)
        for hour, requests in hours.items():
            self._write_part(hour, requests)
        with self._lock:  # only now: what is being written still takes its place in memory
            self._waiting_bytes -= sum(captured.n_bytes for captured in waiting)

    def _run(self) -> None:
        while not self._ended.wait(FLUSH_SECONDS):
            self.flush()
        self.flush()

    def _write_part(self, hour: str, requests: list[_Captured]) -> None:
        settings = self._settings
        folder = f"model={settings.model}/version={settings.version}/hash={settings.pod_template_hash}/hour={hour}"
        uri = f"{settings.capture_uri.rstrip('/')}/{folder}/{socket.gethostname()}-{uuid.uuid4().hex}.jsonl.gz"
        lines = "".join(_lines(captured, settings.digest) for captured in requests)
        try:
            self._write(uri, gzip.compress(lines.encode(), compresslevel=5, mtime=0))
        except Exception as err:  # noqa: BLE001  (whatever a store raises; counted and logged)
            log.error("capture part dropped", extra={"requests": len(requests), "reason": type(err).__name__})
            self._metrics.capture_dropped.inc(len(requests))
        else:
            self._metrics.captured.inc(len(requests))


def _lines(captured: _Captured, digest: str) -> str:
    """One line a row."""
    head = {"time": captured.at.isoformat(), "request_id": captured.request_id, "digest": digest}
    return "".join(
        json.dumps({**head, "row": index, "features": row, "prediction": prediction}) + "\n"
        for index, (row, prediction) in enumerate(zip(captured.rows, captured.predictions, strict=True))
    )
