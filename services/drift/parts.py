"""One part of the capture log, as `services/serving/part.py` writes it: gzipped JSON lines, the first one a header.

Whoever can write to the log can write anything, and a pod can end in the middle of a part: so nothing here raises, no
more than a bounded number of bytes is unpacked, and what was whole is kept.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.replayed import is_replayed

_MAX_LINE = 2**20
# Of a row: its request's id, and its place in the request.
Key = tuple[str, int]


class Header(BaseModel):
    """Who wrote a part: the served bundle and the pod."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    capture: Literal[1]
    model: str
    version: str
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    uri: str
    hash: str
    pod: str = ""
    masked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One answered row; `time` is aware."""

    time: datetime
    request_id: str
    features: Mapping[str, Any]
    prediction: Mapping[str, Any]
    number: int = 0

    @property
    def key(self) -> Key:
        """By what feedback names it."""
        return self.request_id, self.number


@dataclass(frozen=True)
class Part:
    """What a part holds; no header where it is none of ours. `problems` read on after "a part: "."""

    header: Header | None
    rows: list[Row]
    problems: list[str]


def read_part(data: bytes, *, max_bytes: int, max_rows: int) -> Part:
    """What the bytes of a part hold, up to `max_bytes` unpacked and `max_rows` rows."""
    rows: list[Row] = []
    header: Header | None = None
    problems: list[str] = []
    wrong = 0
    lines = unpacked(data, max_bytes=max_bytes, problems=problems)
    try:
        header = Header.model_validate_json(next(lines, b""))
    except ValidationError:
        return Part(None, rows, problems or ["has no header of a capture log"])
    for line in lines:
        row = _row(line)
        if row is None:
            wrong += 1
        elif not is_replayed(row.request_id):
            rows.append(row)
        if len(rows) >= max_rows:
            break
    if wrong:
        problems.append("holds lines that are no rows")
    return Part(header, rows, problems)


def unpacked(data: bytes, *, max_bytes: int, problems: list[str]) -> Iterator[bytes]:
    """The lines of gzipped text, up to `max_bytes`; why they end early is added to `problems`."""
    file = gzip.GzipFile(fileobj=io.BytesIO(data))
    used = 0
    try:
        while line := file.readline(_MAX_LINE):
            used += len(line)
            if used > max_bytes:
                problems.append(f"is above {max_bytes} bytes unpacked")
                return
            yield line
    except (EOFError, zlib.error):
        problems.append("is cut short or damaged")
    except gzip.BadGzipFile:
        problems.append("is no gzip file")


def _row(line: bytes) -> Row | None:
    try:
        told = json.loads(line)
        time = datetime.fromisoformat(told["time"])
        features, prediction = told["features"], told["prediction"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(features, dict) or not isinstance(prediction, dict):
        return None
    request_id, number = str(told.get("request_id", "")), told.get("row")
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return Row(time, request_id, features, prediction, number if isinstance(number, int) else 0)
