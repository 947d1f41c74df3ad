"""One pod of the serving application: what it counts, what it takes in memory, when it crashes, what a scrape sees."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from prometheus_client.utils import floatToGoString

from pipelines.rehearsal.simulate.behaviour import Behaviour, latencies
from pipelines.rehearsal.simulate.series import Database, Series
from services.serving.metrics import BUCKETS_SECONDS, Outcome

_MEMORY_BYTES = 95e6
_WARM_UP_BYTES, _WARM_UP_SECONDS = 12e6, 45.0
_RESTART_SECONDS = 4.0
_EDGES = np.array(BUCKETS_SECONDS)
_BOUNDS = (*(str(floatToGoString(edge)) for edge in BUCKETS_SECONDS), "+Inf")  # type: ignore[no-untyped-call]


@dataclass
class _Counters:
    """What a process counted since it started."""

    started: float
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    buckets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(_BOUNDS), dtype=np.int64))
    seconds: float = 0.0
    rows: int = 0
    captured: int = 0
    captured_rows: int = 0
    leaked: float = 0.0


class Pod:
    """One pod. Time is the world's; `advance` lets it handle requests, `scrape` writes what Prometheus reads."""

    def __init__(
        self,
        labels: dict[str, str],
        behaviour: Behaviour,
        begin: float,
        chance: np.random.Generator,
        *,
        skew: float = 0,
    ) -> None:
        self.labels, self.behaviour, self._chance, self._skew = labels, behaviour, chance, skew
        self.begin = begin
        self.ready_at = begin + behaviour.ready_seconds * chance.lognormal(0, 0.2)
        self.advanced_to = begin
        self.next_scrape = begin + chance.uniform(2.0, 17.0)  # found by service discovery, then its own phase
        self._counters = _Counters(begin)
        self._series: dict[str, Series] = {}
        self._in_flight = 0.0
        self._warm = chance.uniform(0.6, 1.4) * _WARM_UP_BYTES
        self.crash_at = self._next_crash(begin)
        self._down_until = -math.inf

    def ready(self, at: float) -> bool:
        """Whether it gets requests."""
        return at >= self.ready_at and at >= self._down_until

    def advance(self, until: float, expected: float, *, refused: float, rows_per_request: float) -> int:
        """Handles a Poisson number of requests around `expected`; returns how many rows of them were captured."""
        seconds, self.advanced_to = until - self.advanced_to, until
        if seconds <= 0 or not self.ready(until):
            self._in_flight = 0.0
            return 0
        captured, count = 0, int(self._chance.poisson(expected))
        limit = self.behaviour.requests_before_crash
        while limit and sum(self._counters.outcomes.values()) + count >= limit:
            handled = max(0, limit - sum(self._counters.outcomes.values()))
            captured += self._handle(handled, seconds, refused, rows_per_request)
            count -= handled
            share = handled / max(handled + count, 1)
            self._crash(until - seconds * (1 - share))
            if not self.ready(until):
                return captured  # the rest went to other pods or waited
        return captured + self._handle(count, seconds, refused, rows_per_request)

    def crash_if_due(self, at: float) -> None:
        """Crashes where its time has come; the counters begin anew."""
        if at >= self.crash_at:
            self._crash(at)
            self.crash_at = self._next_crash(self._down_until)

    def scrape(self, database: Database, at: float, *, missed: bool) -> None:
        """Writes what Prometheus would have after a scrape; a failed one ends every series but `up`."""
        time_ms = round(at * 1000)
        alive = not missed and at >= self._down_until and at >= self.begin + 1.0
        self._write(database, "up", {}, time_ms, float(alive))
        if alive:
            for name, labels, value in self._exposed(at):
                self._write(database, name, labels, time_ms, value)
        else:
            self._stale(time_ms, keep="up")

    def gone(self, at: float) -> None:
        """The pod ends: every series gets its staleness marker."""
        self._stale(round(at * 1000), keep="")

    def _handle(self, count: int, seconds: float, refused: float, rows_per_request: float) -> int:
        chance, counters = self._chance, self._counters
        how = self.behaviour.after(sum(counters.outcomes.values()))
        wrong = int(chance.binomial(count, refused)) if refused else 0
        failed = int(chance.binomial(count - wrong, how.error_ratio))
        answered = count - wrong - failed
        counters.outcomes[Outcome.REFUSED] += wrong
        counters.outcomes[Outcome.FAILED] += failed
        counters.outcomes[Outcome.ANSWERED] += answered
        taken = latencies(how, answered, seconds, chance, cold=self.advanced_to - counters.started < 30)
        counters.buckets += np.bincount(np.searchsorted(_EDGES, taken), minlength=len(_BOUNDS))
        counters.seconds += float(taken.sum())
        self._in_flight = float(chance.poisson(taken.sum() / seconds))
        rows = answered if rows_per_request == 1 else int(chance.poisson(answered * rows_per_request))
        counters.rows += rows
        counters.captured += answered
        counters.captured_rows += rows
        counters.leaked += self.behaviour.leak_bytes_per_request * count
        return rows

    def _crash(self, at: float) -> None:
        self._down_until = at + _RESTART_SECONDS * self._chance.lognormal(0, 0.2)
        self._counters = _Counters(self._down_until - 1.5)
        self._in_flight = 0.0

    def _next_crash(self, after: float) -> float:
        mean = self.behaviour.seconds_between_crashes
        return after + self._chance.exponential(mean) if math.isfinite(mean) else math.inf

    def _memory(self, at: float) -> float:
        age = max(0.0, at - self._counters.started)
        grown = self._warm * (1 - math.exp(-age / _WARM_UP_SECONDS)) + self.behaviour.leak_bytes_per_second * age
        return _MEMORY_BYTES + grown + self._counters.leaked + abs(self._chance.normal(0, 0.4e6))

    def _exposed(self, at: float) -> list[tuple[str, dict[str, str], float]]:
        counters = self._counters
        found = [
            ("mainline_requests_total", {"outcome": outcome.value}, float(n))
            for outcome, n in counters.outcomes.items()
        ]
        name = "mainline_request_duration_seconds"
        for bound, count in zip(_BOUNDS, np.cumsum(counters.buckets).tolist(), strict=True):
            found.append((f"{name}_bucket", {"le": bound}, float(count)))
        found.append((f"{name}_count", {}, float(counters.buckets.sum())))
        found.append((f"{name}_sum", {}, counters.seconds))
        for metric, value in (
            ("mainline_predicted_rows_total", counters.rows),
            ("mainline_captured_total", counters.captured),
            ("mainline_captured_rows_total", counters.captured_rows),
            ("mainline_capture_dropped_total", 0),
            ("mainline_requests_in_flight", self._in_flight),
            ("mainline_ready", self.ready(at)),
            ("process_start_time_seconds", round(counters.started + self._skew, 2)),
            ("process_resident_memory_bytes", self._memory(at)),
        ):
            found.append((metric, {}, float(value)))
        return found

    def _write(self, database: Database, name: str, labels: dict[str, str], time_ms: int, value: float) -> None:
        key = name + "".join(labels.values())
        if key not in self._series:
            self._series[key] = database.series(name, {**self.labels, **labels})
        self._series[key].append(time_ms, value)

    def _stale(self, time_ms: int, *, keep: str) -> None:
        for key, series in self._series.items():
            if key != keep and series.values and series.values[-1] is not None and series.times_ms[-1] < time_ms:
                series.append(time_ms, None)
