"""What became of answers: the truth, told later, row by row. Written by the server, read by the check `quality`.

Parts lie in the capture log at `<uri>/model=<m>/feedback/hour=<YYYY-MM-DDTHH>/<stamp>-<pod>-<random>.jsonl.gz` (UTC),
gzipped JSON lines like those of captured rows. The stamp, as `<YYYYmmddTHHMMSSffffff>`, is the time of the newest line
inside, and a line lies in the hour in which it was told, not in its row's. First a header:

    {"feedback": 1, "model": "diabetes", "pod": "serving-7c9d4f8b6-x2x4x"}

then a line for each row:

    {"time": "2026-03-01T12:00:00+00:00", "request_id": "01J...", "row": 0, "truth": 142.0}

`request_id` is what the answer's header told, `row` the place in the request, `truth` a number (regression) or the name
of a class. Which version answered is not said: the captured row knows. Of one row told twice the last counts.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore
from pydantic import BaseModel, ConfigDict, ValidationError

from models.object_store import brief
from services.drift.listing import MAX_PART_BYTES, evenly, names_under, open_log
from services.drift.parts import Key, unpacked

MAX_TOLD = 50_000  # rows; some 10 MB
READ_SECONDS = 3.0  # of the 15 s that the judge has
_AT_ONCE = 8
_MAX_TRUTH = 3.4e38  # what a graph can answer: float32
_MAX_TEXT = 200
_SKEW = timedelta(seconds=5)

_Line = tuple[datetime, Key, Any]


class Header(BaseModel):
    """Of which model a part tells."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    feedback: Literal[1]
    model: str
    pod: str = ""


@dataclass(frozen=True)
class Feedback:
    """The truth of rows by their key, and what was met on the way, one line each."""

    truth: Mapping[Key, Any]
    oddities: tuple[str, ...] = ()


@dataclass
class _Found:
    """What reading has gathered so far."""

    told: dict[Key, tuple[datetime, Any]] = field(default_factory=dict)
    odd: Counter[str] = field(default_factory=Counter)


def read_feedback(
    uri: str, *, model: str, begin: datetime, now: datetime, clock: Callable[[], float] = time.monotonic
) -> Feedback:
    """What was told since `begin`, of at most 50,000 rows; where there is more, evenly over the time.

    Raises:
        StoreError: the log cannot be listed or read.
    """
    store = open_log(uri)
    names = names_under(store, [f"model={model}/feedback"], begin, now + timedelta(hours=1))
    found, started = _Found(), clock()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        order = iter(evenly(names))
        while batch := list(islice(order, _AT_ONCE)):
            for lines, problems in pool.map(lambda name: _part(store, name, model), batch):
                found.odd.update(problems)
                _take(found, lines, begin, now + _SKEW)
            if len(found.told) >= MAX_TOLD or clock() - started > READ_SECONDS:
                if next(order, None) is not None:
                    found.odd["is left unread: there is too much of it"] += 1
                break
    oddities = tuple(f"feedback: a part {what} ({count} of them)" for what, count in found.odd.items())
    return Feedback({key: truth for key, (_, truth) in found.told.items()}, oddities[:20])


def _take(found: _Found, lines: list[_Line], begin: datetime, last: datetime) -> None:
    """Keeps the latest of each row."""
    for at, key, truth in lines:
        former = found.told.get(key)
        if former is not None and former[0] > at:
            continue
        if begin <= at <= last and (former is not None or len(found.told) < MAX_TOLD):
            found.told[key] = (at, truth)


def _part(store: ObjectStore, name: str, model: str) -> tuple[list[_Line], list[str]]:
    """The lines of a part; nothing that it holds raises."""
    problems: list[str] = []
    try:
        lines = unpacked(bytes(obstore.get(store, name).bytes()), max_bytes=MAX_PART_BYTES, problems=problems)
        header = Header.model_validate_json(next(lines, b""))
    except FileNotFoundError:
        return [], ["is gone"]
    except (BaseError, OSError) as err:
        return [], [f"cannot be read ({brief(err)})"]
    except ValidationError:
        return [], problems or ["has no header of feedback"]
    if header.model != model:
        return [], [f"says that it is of {header.model}"]
    told = list(islice(_told(lines, problems), MAX_TOLD))
    return told, problems


def _plain(truth: Any) -> float | str | None:
    """A number or a short text as it is; None for all else, which the decision counts as refused."""
    if isinstance(truth, str):
        return truth if len(truth) <= _MAX_TEXT else None
    if isinstance(truth, bool) or not isinstance(truth, int | float):
        return None
    try:
        return truth if abs(float(truth)) <= _MAX_TRUTH else None
    except OverflowError:
        return None


def _told(lines: Iterator[bytes], problems: list[str]) -> Iterator[_Line]:
    wrong = False
    for line in lines:
        try:
            read = json.loads(line)
            at, number = datetime.fromisoformat(read["time"]), read["row"]
            key, truth = (str(read["request_id"])[:_MAX_TEXT], int(number)), _plain(read["truth"])
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            wrong = True
            continue
        yield (at if at.tzinfo else at.replace(tzinfo=UTC)), key, truth
    if wrong:
        problems.append("holds lines that are no feedback")
