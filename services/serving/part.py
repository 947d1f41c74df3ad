"""One object of the capture log: a header line, then one line a row, as gzipped JSON lines. Written by `capture`.

Parts lie at `<uri>/model=<m>/version=<v>/hash=<pod-template-hash>/hour=<YYYY-MM-DDTHH>/<stamp>-<pod>-<random>.jsonl.gz`
(UTC). The stamp is the time of the newest row inside, to the microsecond, so that names sort by time and a reader of a
window leaves out every part that is older, by its name alone. A row lies in its own hour.
"""

import json
import socket
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import orjson
from isal import isal_zlib

from services.serving import octets
from services.serving.settings import Settings

FORMAT = 1
# Every so many rows the encoder lets others have the interpreter: without, a request would wait a switch interval
# (5 ms) each time that it gives the lock up. Some 0.7 ms of work with 30 features.
_BREATH_ROWS = 128
_PIECE_BYTES = 65_536
_GZIP = 31  # zlib's largest window, with gzip's header
# Of rows of 30 numbers zlib's level 5 leaves 21 % at 49 MB/s, its level 1 26 % at 120, this 24 % at 330.
_LEVEL = 3


class Texts(Protocol):
    """Objects of JSON that are made when they are written."""

    @property
    def n_bytes(self) -> int:
        """About what they take in memory, and what their lines will."""

    def __len__(self) -> int: ...

    def texts(self, part: slice, masked: Collection[str], /) -> Sequence[bytes]:
        """Those of a part, without the values of the features `masked`."""


Objects = Sequence[Mapping[str, object]] | Texts


@dataclass(frozen=True)
class Captured:
    """An answered request.

    Attributes:
        n_bytes: about what it takes in memory, rather more than less.
        body: what held the rows, where they may be copied from it.
    """

    at: datetime
    request_id: str
    rows: Objects
    predictions: Objects
    n_bytes: int
    body: bytes = b""
    n_requests: int = 1

    @property
    def n_rows(self) -> int:
        """How many were answered."""
        return len(self.rows)


@dataclass(frozen=True)
class Packed:
    """Answered requests of one row each, their lines packed already.

    Attributes:
        at: of the newest.
    """

    at: datetime
    data: bytes
    n_requests: int

    @property
    def n_bytes(self) -> int:
        """What it takes in memory, but for a few bytes."""
        return len(self.data)

    @property
    def n_rows(self) -> int:
        """One a request."""
        return self.n_requests


class Packer:
    """Packs lines as they come, so that they wait in a tenth of their room. A part may hold several such streams."""

    def __init__(self) -> None:
        self._stream = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
        self._data: list[bytes] = []
        self._ready: list[bytes] = []
        self._n_ready = 0
        self._at: datetime | None = None
        self._n_requests = 0
        self.n_bytes = 0

    def add(self, at: datetime, lines: Sequence[bytes]) -> None:
        """Takes lines of one time, a request each."""
        self._at = at
        self._n_requests += len(lines)
        text = b"".join(lines)
        self._ready.append(text)
        self._n_ready += len(text)
        if self._n_ready >= _PIECE_BYTES:  # one call costs as much as packing some lines
            self._data.append(self._stream.compress(b"".join(self._ready)))
            self._ready, self._n_ready = [], 0
            self.n_bytes += len(self._data[-1])

    def is_of(self, at: datetime) -> bool:
        """Whether what it holds happened in the hour of `at`, as all of a part does."""
        return self._at is None or (self._at.hour, self._at.date()) == (at.hour, at.date())

    def end(self) -> Packed | None:
        """Everything, or None where there was nothing. To be called last."""
        if self._at is None:
            return None
        last = [self._stream.compress(b"".join(self._ready)), self._stream.flush()]
        return Packed(self._at, b"".join([*self._data, *last]), self._n_requests)


def line(at: str, request_id: bytes, features: bytes, prediction: bytes) -> bytes:
    """A row's line from parts that are JSON already, and have no line break."""
    return b'{"time":"%b","request_id":"%b","row":0,"features":%b,"prediction":%b}\n' % (
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
    folder = f"model={settings.model}/version={settings.version}/hash={settings.pod_template_hash}"
    return place(settings, folder, hour, newest)


def place(settings: Settings, folder: str, hour: str, newest: datetime) -> str:
    """Where a part lies whose kind has this folder in the log."""
    name = f"{newest:%Y%m%dT%H%M%S%f}-{socket.gethostname()}-{uuid.uuid4().hex[:12]}.jsonl.gz"
    return f"{settings.capture_uri.rstrip('/')}/{folder}/hour={hour}/{name}"


def encode(
    settings: Settings,
    requests: Sequence[Captured | Packed],
    masked: Collection[str],
    breathe: Callable[[], object] = lambda: time.sleep(0),
) -> bytes:
    """A part's bytes. Values of `masked` features are left out, and the header names them.

    Args:
        breathe: called every few rows, to let others have the interpreter and the core.
    """
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
    texts = (
        text for captured in requests if isinstance(captured, Captured) for text in _lines(captured, masked, breathe)
    )
    ready = [captured.data for captured in requests if isinstance(captured, Packed)]
    return b"".join([packed(header, texts, breathe), *ready])  # gzip's members follow each other


def packed(header: Mapping[str, object], texts: Iterable[bytes], breathe: Callable[[], object]) -> bytes:
    """The header's line and those of the texts, gzipped."""
    packer = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
    made = [packer.compress(json.dumps(header).encode() + b"\n")]
    ready: list[bytes] = []  # few large pieces: the packer lets others have the interpreter while it packs one
    n_ready = 0
    for text in texts:
        ready.append(text)
        n_ready += len(text)
        if n_ready >= _PIECE_BYTES:
            made.append(packer.compress(b"".join(ready)))
            ready, n_ready = [], 0
            breathe()
    made += [packer.compress(b"".join(ready)), packer.flush()]
    return b"".join(made)


def _lines(captured: Captured, masked: Collection[str], breathe: Callable[[], object]) -> Iterator[bytes]:
    n_rows = captured.n_rows
    copied = None if masked else rows_in(captured.body, n_rows)
    head = orjson.dumps({"time": captured.at.isoformat(), "request_id": captured.request_id})[:-1]
    for start in range(0, n_rows, _BREATH_ROWS):
        if start:
            breathe()
        part = slice(start, min(start + _BREATH_ROWS, n_rows))
        rows = copied[part] if copied else _texts(captured.rows, part, masked)
        predictions = _texts(captured.predictions, part, ())
        yield b"".join(
            b'%b,"row":%d,"features":%b,"prediction":%b}\n' % (head, index, row, prediction)
            for index, (row, prediction) in enumerate(zip(rows, predictions, strict=True), start)
        )


def _texts(objects: Objects, part: slice, masked: Collection[str]) -> Sequence[bytes]:
    if isinstance(objects, Sequence):
        return [dumps(_open(each, masked)) for each in objects[part]]
    return objects.texts(part, masked)


def rows_in(body: bytes, n_rows: int) -> list[bytes] | None:
    """The rows' own text in `{"instances": [row, ...]}` without line breaks, or None where it is not plain to see."""
    start = body.find(b"[")
    if body[: max(start, 0)].translate(None, b" \t\r\n") != b'{"instances":':
        return None
    # Rows are flat: with a bracket in a name or a string there are more of them.
    if not octets.count(body, b"{") == octets.count(body, b"}") == n_rows + 1 or b"\\" in body:
        return None
    inner = body[start + 1 : body.rindex(b"]")].translate(None, b"\r\n")
    return [text[text.index(b"{") :] + b"}" for text in inner.split(b"}")[:-1]]


def dumps(value: object) -> bytes:
    """A value as JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, or a lone surrogate
        return json.dumps(value).encode()


def _open(row: Mapping[str, object], masked: Collection[str]) -> Mapping[str, object]:
    if not masked:
        return row
    return {name: value for name, value in row.items() if name not in masked}
