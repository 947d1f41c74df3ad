"""Samples in memory, as Prometheus would hold them: series by name and labels, each with its times and values."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

Labels = Mapping[str, str]
Points = tuple[list[int], list[float]]

NAME = "__name__"
LOOKBACK_MS = 300_000


@dataclass(frozen=True)
class Matcher:
    """One condition on a label: `op` is `=`, `!=`, `=~` or `!~`. An absent label equals the empty string."""

    label: str
    op: str
    value: str

    def accepts(self, labels: Labels) -> bool:
        """Whether a series with these labels fulfils it."""
        found = labels.get(self.label, "")
        if self.op in ("=", "!="):
            return (found == self.value) is (self.op == "=")
        return (_pattern(self.value).fullmatch(found) is not None) is (self.op == "=~")


@dataclass(frozen=True)
class Series:
    """One series. A value of None is a staleness marker: the target was gone or had dropped the series."""

    labels: Labels
    times_ms: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def append(self, time_ms: int, value: float | None) -> None:
        """One more sample, later than the last."""
        if self.times_ms and time_ms <= self.times_ms[-1]:
            raise ValueError(f"sample at {time_ms} ms: must be later than the last, at {self.times_ms[-1]} ms")
        self.times_ms.append(time_ms)
        self.values.append(value)

    def at(self, time_ms: int) -> tuple[int, float] | None:
        """The newest sample of the last 5 minutes; None where there is none or it is a staleness marker."""
        index = bisect_right(self.times_ms, time_ms) - 1
        if index < 0 or self.times_ms[index] < time_ms - LOOKBACK_MS:
            return None
        value = self.values[index]
        return None if value is None else (self.times_ms[index], value)

    def between(self, start_ms: int, end_ms: int) -> Points:
        """Samples from `start_ms` to `end_ms`, both included as Prometheus 2 does, without staleness markers."""
        first, last = bisect_left(self.times_ms, start_ms), bisect_right(self.times_ms, end_ms)
        times, values = self.times_ms[first:last], self.values[first:last]
        if None not in values:
            return times, values  # type: ignore[return-value]  # no None is left
        kept = [(time, value) for time, value in zip(times, values, strict=True) if value is not None]
        return [time for time, _ in kept], [value for _, value in kept]


class Database:
    """All series, found by name first."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Series]] = {}
        self._found: dict[tuple[str, tuple[Matcher, ...]], list[Series]] = {}

    def series(self, name: str, labels: Labels) -> Series:
        """A new, empty series. The caller keeps it and appends to it; it must not be made twice."""
        made = Series({NAME: name, **labels})
        self._by_name.setdefault(name, []).append(made)
        self._found.clear()
        return made

    def __iter__(self) -> Iterator[Series]:
        return (series for each in self._by_name.values() for series in each)

    def select(self, name: str, matchers: tuple[Matcher, ...]) -> Sequence[Series]:
        """The series of that name which fulfil every matcher."""
        key = (name, matchers)
        if key not in self._found:
            named = self._by_name.get(name, [])
            self._found[key] = [each for each in named if all(matcher.accepts(each.labels) for matcher in matchers)]
        return self._found[key]


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
