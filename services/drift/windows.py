"""A window of the capture log: the rows that the pods of one pod-template hash answered, never more than are needed.

Only the hours of the window are listed, and of an hour only parts that can hold rows of it. Parts are read in an order
of which every beginning covers the window evenly, until there are enough rows: so memory is bounded, and a window of
much traffic is sampled over all of its time. Nothing that a part holds raises: what is odd is counted and named.
"""

import time
from collections import Counter
from collections.abc import Callable, Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from models.judge_bounds import MAX_ROWS
from models.object_store import brief
from services.drift.judgement import Party
from services.drift.listing import MAX_PART_BYTES, evenly, names_between, open_log
from services.drift.parts import Header, Key, Part, read_part

CLOCK_SKEW = timedelta(seconds=5)  # nodes that keep time are within a second
READ_SECONDS = 4.0  # of each of two windows; the judge has 15 s for all of it
_AT_ONCE = 8
_FLUSHED = timedelta(minutes=5)  # a part that ends later holds no row of the window: servers flush every ten seconds


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows in the order of their time.

    Attributes:
        header: of the newest part; None where no part lies in the window.
        rows, predictions, times, keys: of equal length.
        oddities: what was met on the way, one line each.
    """

    header: Header | None = None
    rows: tuple[Mapping[str, Any], ...] = ()
    predictions: tuple[Mapping[str, Any], ...] = ()
    times: tuple[datetime, ...] = ()
    keys: tuple[Key, ...] = ()
    oddities: tuple[str, ...] = ()

    @property
    def party(self) -> Party | None:
        """Who answered."""
        if self.header is None:
            return None
        return Party(self.header.model, self.header.version, self.header.digest, self.header.hash)


@dataclass
class _Found:
    """What reading has gathered so far."""

    header: Header | None = None
    parts: list[Part] = field(default_factory=list)
    n_rows: int = 0
    odd: Counter[str] = field(default_factory=Counter)


def read_window(
    uri: str,
    *,
    model: str,
    pod_hash: str,
    begin: datetime,
    end: datetime,
    now: datetime,
    most: int = MAX_ROWS,
    wanted: Container[Key] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Window:
    """Rows whose time is in [begin, end], at most `most`; of `wanted` keys only where they are given.

    Raises:
        StoreError: the log cannot be listed or read.
    """
    store = open_log(uri)
    found = _Found()
    # up to now, all later parts are read too: a pod whose clock is ahead must be seen to be
    last = end + _FLUSHED if end < now else end + timedelta(hours=1)
    names = names_between(store, model, pod_hash, begin, last)
    started = clock()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        order = iter(evenly(names))
        while batch := list(islice(order, 1 if found.header is None else _AT_ONCE)):
            for name, part in zip(batch, pool.map(lambda name: _part(store, name), batch), strict=True):
                part = _only(part, wanted)
                _take(found, part, name, model=model, pod_hash=pod_hash, span=(begin, end, now), most=most)
            if found.n_rows >= most:
                break
            if clock() - started > READ_SECONDS:
                found.odd[f"reading was ended after {READ_SECONDS:g} s"] += 1
                break
    return _window(found, most)


def _part(store: ObjectStore, name: str) -> Part:
    try:
        data = bytes(obstore.get(store, name).bytes())
    except FileNotFoundError:
        return Part(None, [], ["is gone"])
    except (BaseError, OSError) as err:
        return Part(None, [], [f"cannot be read ({brief(err)})"])
    return read_part(data, max_bytes=MAX_PART_BYTES, max_rows=MAX_ROWS)


def _only(part: Part, wanted: Container[Key] | None) -> Part:
    if wanted is None:
        return part
    return Part(part.header, [row for row in part.rows if row.key in wanted], part.problems)


def _take(
    found: _Found,
    part: Part,
    name: str,
    *,
    model: str,
    pod_hash: str,
    span: tuple[datetime, datetime, datetime],
    most: int,
) -> None:
    """Keeps the part's rows that are in the window, and counts what is odd."""
    for problem in part.problems:
        found.odd[problem] += 1
    if part.header is None:
        return
    named = (part.header.model, part.header.hash)
    if named != (model, pod_hash):
        found.odd[f"says that it is of {named[0]}, hash {named[1]}"] += 1
        return
    found.header = found.header or part.header
    if part.header.digest != found.header.digest:
        found.odd[f"is of another bundle ({part.header.digest[:19]})"] += 1
        return
    begin, end, now = span
    ahead = [row for row in part.rows if row.time > now + CLOCK_SKEW]
    if ahead:
        late = max(row.time for row in ahead) - now
        found.odd[f"holds rows from the future, up to {late.total_seconds():.0f} s: a clock is wrong"] += 1
    kept = [row for row in part.rows if begin <= row.time <= end and row.time <= now + CLOCK_SKEW]
    found.parts.append(Part(part.header, kept[:most], []))
    found.n_rows += len(kept)


def _window(found: _Found, most: int) -> Window:
    rows = [row for part in found.parts for row in part.rows][:most]
    rows.sort(key=lambda row: row.time)
    oddities = tuple(f"{count} parts: {what}" if count > 1 else f"a part: {what}" for what, count in found.odd.items())
    return Window(
        header=found.header,
        rows=tuple(row.features for row in rows),
        predictions=tuple(row.prediction for row in rows),
        times=tuple(row.time for row in rows),
        keys=tuple(row.key for row in rows),
        oddities=oddities[:20],
    )
