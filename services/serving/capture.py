"""The capture log: sampled rows with their predictions, as compressed JSON lines, for the judge of drift.

The routes offer, one thread writes (`services.serving.spool`). Memory is bounded: what does not fit is dropped and
counted, none waits.
"""

import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import orjson

from services.serving import part, spool
from services.serving.metrics import Metrics
from services.serving.part import Captured, Packed, Packer, Texts
from services.serving.settings import Settings
from services.serving.spool import Spool, Write

# What may wait, counted as memory: a tenth of the pod's 512 MiB, some 25,000 requests of one small row.
MAX_WAITING_BYTES = 48 * 2**20
# Of packed lines: then they are written, though it is not time yet. A store takes some of this size a second.
PACKED_BYTES = 2**20


class Capture:
    """Takes answered requests, in a bounded buffer that a thread empties."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        write: Write,
        rng: random.Random,
        sharing: int = 1,
    ) -> None:
        """Writes nothing before `start`.

        Args:
            sharing: logs of this process, between which the memory is divided.
        """
        self._settings = settings
        self._metrics = metrics
        self._write = write
        self._rng = rng
        self._sample = settings.capture_sample
        self._masked: frozenset[str] = frozenset()
        self._packing = threading.Lock()
        self._packer = Packer()
        self.spool: Spool[Captured | Packed] = Spool(
            "capture",
            max_bytes=MAX_WAITING_BYTES // sharing,
            flush_seconds=settings.capture_flush_seconds,
            write=self._write_part,
            lost=self._drop,
            gather=self._end_pack,
        )

    def start(self, masked: Iterable[str] = ()) -> None:
        """Begins to write what is offered, without the values of the features `masked`."""
        self._masked = frozenset(masked)
        self.spool.start()

    def offer(
        self,
        request_id: str,
        rows: Sequence[Mapping[str, object]],
        predictions: Sequence[Mapping[str, object]],
        *,
        body_bytes: int,
        body: bytes = b"",
    ) -> None:
        """Takes a request, drops it, or passes it over where the sample does not want it. Never blocks on I/O.

        Args:
            rows: by name.
            body_bytes: size of the body that held them.
            body: what held them, where they may be copied from it.
        """
        if self.wants():
            size = part.size(rows, predictions, body_bytes)
            self._put(Captured(datetime.now(UTC), request_id, rows, predictions, size, body))

    def offer_texts(self, request_id: str, rows: Texts, predictions: Texts) -> None:
        """As `offer`, where rows and predictions become text when they are written."""
        if self.wants():
            size = rows.n_bytes + predictions.n_bytes
            self._put(Captured(datetime.now(UTC), request_id, rows, predictions, size))

    def _put(self, captured: Captured | Packed) -> None:
        if not self.spool.put(captured):
            self._drop([captured])

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
            self.spool.hurry()

    def flush(self) -> None:
        """Writes what waits. A part that cannot be written is dropped, counted and logged."""
        self.spool.flush()

    def close(self) -> None:
        """Writes what waits, and ends; gives up on a store that takes too long."""
        spool.close([self.spool])

    def _end_pack(self) -> list[Captured | Packed]:
        """What was packed since, for the part that is about to be written."""
        with self._packing:
            packed, self._packer = self._packer.end(), Packer()
        return [] if packed is None else [packed]

    def _write_part(self, hour: str, requests: list[Captured | Packed]) -> None:
        newest = max(captured.at for captured in requests)
        data = part.encode(self._settings, requests, self._masked, self.spool.breathe)
        self._write(part.address(self._settings, hour, newest), data)
        self._metrics.captured.inc(_requests(requests))
        self._metrics.captured_rows.inc(_rows(requests))

    def _drop(self, requests: Sequence[Captured | Packed]) -> None:
        self._metrics.capture_dropped.inc(_requests(requests))
        self._metrics.capture_dropped_rows.inc(_rows(requests))


def _rows(requests: Sequence[Captured | Packed]) -> int:
    return sum(captured.n_rows for captured in requests)


def _requests(requests: Sequence[Captured | Packed]) -> int:
    return sum(captured.n_requests for captured in requests)
