"""One object of the capture log: a header line, then one line a row, as gzipped JSON lines. Written by `capture`.

Parts lie at `<uri>/model=<m>/version=<v>/hash=<pod-template-hash>/hour=<YYYY-MM-DDTHH>/<stamp>-<pod>-<random>.jsonl.gz`
(UTC). The stamp is the time of the newest row inside, to the microsecond, so that names sort by time and a reader of a
window leaves out every part that is older, by its name alone. A row lies in its own hour.
"""

import json
import socket
import time
import uuid
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from services.serving.settings import Settings

FORMAT = 1
# Every so many rows the encoder lets others have the interpreter: without, a request would wait a switch interval
# (5 ms) each time that it gives the lock up.
_BREATH_ROWS = 32
_PIECE_BYTES = 65_536
_GZIP = 31  # zlib's largest window, with gzip's header
_LEVEL = 5


@dataclass(frozen=True)
class Captured:
    """An answered request.

    Attributes:
        n_bytes: about what it takes in memory, rather more than less.
    """

    at: datetime
    request_id: str
    rows: Sequence[Mapping[str, object]]
    predictions: Sequence[Mapping[str, object]]
    n_bytes: int
    n_requests: int = 1

    @property
    def n_rows(self) -> int:
        """How many were answered."""
        return len(self.rows)


@dataclass(frozen=True)
class Lines:
    """Answered requests of one row each, as lines that are ready to be written.

    Attributes:
        at: of the newest.
        n_bytes: about what they take in memory.
    """

    at: datetime
    text: bytes
    n_requests: int
    n_bytes: int

    @property
    def n_rows(self) -> int:
        """One a request."""
        return self.n_requests


def line(at: str, request_id: bytes, features: bytes, prediction: bytes) -> bytes:
    """A row's line from parts that are JSON already, and have no line break."""
    return b'{"time": "%b", "request_id": "%b", "row": 0, "features": %b, "prediction": %b}\n' % (
        at.encode(),
        request_id,
        features,
        prediction,
    )


def size(rows: Sequence[Mapping[str, object]], predictions: Sequence[Mapping[str, object]], body_bytes: int) -> int:
    """What a request takes in memory at most, in bytes, found without walking its rows.

    The constants come from tracemalloc over 1 to 784 features, numbers and strings, 1 and 100 rows; all rows of a
    request have the first one's shape, since the spec refused any other.
    """
    cells = len(rows[0]) + sum(len(part) if isinstance(part, Mapping) else 1 for part in predictions[0].values())
    return 800 + 400 * len(rows) + 2 * body_bytes + 64 * cells * (len(rows) + 1)


def address(settings: Settings, hour: str, newest: datetime) -> str:
    """Where a part of this hour goes; no two are the same."""
    folder = f"model={settings.model}/version={settings.version}/hash={settings.pod_template_hash}/hour={hour}"
    name = f"{newest:%Y%m%dT%H%M%S%f}-{socket.gethostname()}-{uuid.uuid4().hex[:12]}.jsonl.gz"
    return f"{settings.capture_uri.rstrip('/')}/{folder}/{name}"


def encode(settings: Settings, requests: Sequence[Captured | Lines], masked: Collection[str]) -> bytes:
    """A part's bytes. Values of `masked` features are left out, and the header names them."""
    header = {
        "capture": FORMAT,
        "model": settings.model,
        "version": settings.version,
        "digest": settings.digest,
        "uri": settings.uri,
        "hash": settings.pod_template_hash,
        "pod": socket.gethostname(),
        "masked": sorted(masked),
    }
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    packed = [packer.compress(json.dumps(header).encode() + b"\n")]
    ready: list[bytes] = []  # few large pieces: the packer lets others have the interpreter while it packs one
    n_ready = 0
    for captured in requests:
        for text in [captured.text] if isinstance(captured, Lines) else _lines(captured, masked):
            ready.append(text)
            n_ready += len(text)
            if n_ready >= _PIECE_BYTES:
                packed.append(packer.compress(b"".join(ready)))
                ready, n_ready = [], 0
    packed += [packer.compress(b"".join(ready)), packer.flush()]
    return b"".join(packed)


def _lines(captured: Captured, masked: Collection[str]) -> Iterator[bytes]:
    head = {"time": captured.at.isoformat(), "request_id": captured.request_id}
    for index, (row, prediction) in enumerate(zip(captured.rows, captured.predictions, strict=True)):
        if index % _BREATH_ROWS == _BREATH_ROWS - 1:
            time.sleep(0)
        told = {**head, "row": index, "features": _open(row, masked), "prediction": prediction}
        try:
            text = orjson.dumps(told)
        except TypeError:  # an integer of more than 64 bits, or a lone surrogate
            text = json.dumps(told).encode()
        yield text + b"\n"


def _open(row: Mapping[str, object], masked: Collection[str]) -> Mapping[str, object]:
    if not masked:
        return row
    return {name: value for name, value in row.items() if name not in masked}
