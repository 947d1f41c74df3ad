"""Functions over the samples of a range, computed as Prometheus 2.42 does: extrapolation, resets, compensated sums."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Range:
    """The samples of one series in a window, and the window: `at_ms` is when the query asks, before any offset."""

    times_ms: Sequence[int]
    values: Sequence[float]
    start_ms: int
    end_ms: int
    at_ms: int


def _extrapolated(window: Range, *, counter: bool, per_second: bool) -> float | None:
    times, values = window.times_ms, window.values
    if len(values) < 2:
        return None
    change = values[-1] - values[0]
    if counter:
        change += sum(before for before, now in pairwise(values) if now < before)
    to_start, to_end = (times[0] - window.start_ms) / 1000, (window.end_ms - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    between = sampled / (len(values) - 1)
    if counter and change > 0 and values[0] >= 0:
        to_start = min(to_start, sampled * (values[0] / change))  # a counter is never extrapolated below zero
    covered = sampled
    covered += to_start if to_start < between * 1.1 else between / 2
    covered += to_end if to_end < between * 1.1 else between / 2
    factor = covered / sampled
    return change * (factor / ((window.end_ms - window.start_ms) / 1000) if per_second else factor)


def _instant(window: Range, *, per_second: bool) -> float | None:
    if len(window.values) < 2:
        return None
    before, now = window.values[-2:]
    change = now if per_second and now < before else now - before
    return change / ((window.times_ms[-1] - window.times_ms[-2]) / 1000) if per_second else change


def _line(window: Range, zero_ms: int) -> tuple[float, float]:
    """Slope a second and value at `zero_ms` of the least-squares line, with compensated sums."""
    first = window.values[0]
    if all(value == first for value in window.values):
        return (math.nan, math.nan) if math.isinf(first) else (0.0, first)
    seconds = [(time - zero_ms) / 1000 for time in window.times_ms]
    count = float(len(seconds))
    sum_x, sum_y = _sum(seconds), _sum(window.values)
    sum_xy = _sum([x * y for x, y in zip(seconds, window.values, strict=True)])
    sum_xx = _sum([x * x for x in seconds])
    slope = (sum_xy - sum_x * sum_y / count) / (sum_xx - sum_x * sum_x / count)
    return slope, sum_y / count - slope * sum_x / count


def _deriv(window: Range) -> float | None:
    return None if len(window.values) < 2 else _line(window, window.times_ms[0])[0]


def _predict(window: Range, seconds: float) -> float | None:
    if len(window.values) < 2:
        return None
    slope, now = _line(window, window.at_ms)
    return slope * seconds + now


def _sum(values: Sequence[float]) -> float:
    """Neumaier's compensated sum, as Prometheus adds up."""
    total = lost = 0.0
    for value in values:
        new = total + value
        lost += (total - new) + value if abs(total) >= abs(value) else (value - new) + total
        total = new
    return total if math.isinf(total) else total + lost


def _extreme(values: Sequence[float], better: Callable[[float, float], bool]) -> float:
    best = values[0]
    for value in values:
        if better(value, best) or math.isnan(best):
            best = value
    return best


def _changes(values: Sequence[float]) -> float:
    pairs = pairwise(values)
    return float(sum(now != before and not (math.isnan(now) and math.isnan(before)) for before, now in pairs))


def _average(values: Sequence[float]) -> float:
    mean, lost = 0.0, 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(mean) and (math.isfinite(value) or value == mean):
            continue
        step = value / count - mean / count
        new = mean + step
        lost += (mean - new) + step if abs(mean) >= abs(step) else (step - new) + mean
        mean = new
    return mean if math.isinf(mean) else mean + lost


FUNCTIONS: dict[str, Callable[[Range], float | None]] = {
    "rate": lambda window: _extrapolated(window, counter=True, per_second=True),
    "increase": lambda window: _extrapolated(window, counter=True, per_second=False),
    "delta": lambda window: _extrapolated(window, counter=False, per_second=False),
    "irate": lambda window: _instant(window, per_second=True),
    "idelta": lambda window: _instant(window, per_second=False),
    "deriv": _deriv,
    "changes": lambda window: _changes(window.values),
    "resets": lambda window: float(sum(now < before for before, now in pairwise(window.values))),
    "max_over_time": lambda window: _extreme(window.values, lambda new, best: new > best),
    "min_over_time": lambda window: _extreme(window.values, lambda new, best: new < best),
    "sum_over_time": lambda window: _sum(window.values),
    "avg_over_time": lambda window: _average(window.values),
    "count_over_time": lambda window: float(len(window.values)),
    "last_over_time": lambda window: window.values[-1],
    "present_over_time": lambda window: 1.0,
}

# name -> function of the window and one number
WITH_NUMBER: dict[str, Callable[[Range, float], float | None]] = {"predict_linear": _predict}

# these keep the metric's name
KEEPS_NAME = frozenset({"last_over_time"})
