"""PromQL's aggregations of a vector, and its quantile of a histogram."""

import math
from collections.abc import Callable, Mapping, Sequence

from pipelines.rehearsal.simulate.operators import Vector, divide
from pipelines.rehearsal.simulate.series import NAME


def _mean(values: Sequence[float]) -> float:
    mean = 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(mean) and (math.isfinite(value) or value == mean):
            continue
        mean += value / count - mean / count
    return mean


def _last(values: Sequence[float], better: Callable[[float, float], bool]) -> float:
    best = values[0]
    for value in values[1:]:
        if better(best, value) or math.isnan(best):
            best = value
    return best


def _added(values: Sequence[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": _added,
    "avg": _mean,
    "min": lambda values: _last(values, lambda best, value: best > value),
    "max": lambda values: _last(values, lambda best, value: best < value),
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
}


def aggregate(op: str, vector: Vector, grouping: tuple[str, ...], *, without: bool) -> Vector:
    """One sample a group."""
    groups: dict[frozenset[tuple[str, str]], list[float]] = {}
    for labels, value in vector:
        if without:
            kept = frozenset((name, at) for name, at in labels.items() if name not in grouping and name != NAME)
        else:
            kept = frozenset((name, labels[name]) for name in grouping if labels.get(name))
        groups.setdefault(kept, []).append(value)
    return [(dict(kept), AGGREGATIONS[op](values)) for kept, values in groups.items()]


def histogram_quantile(quantile: float, vector: Vector) -> Vector:
    """The quantile of each histogram whose buckets are in the vector."""
    buckets: dict[frozenset[tuple[str, str]], list[tuple[float, float]]] = {}
    for labels, count in vector:
        try:
            bound = float(labels.get("le", ""))
        except ValueError:
            continue
        rest = frozenset(item for item in labels.items() if item[0] not in ("le", NAME))
        buckets.setdefault(rest, []).append((bound, count))
    return [(dict(rest), _quantile(quantile, found)) for rest, found in buckets.items()]


def _quantile(quantile: float, buckets: list[tuple[float, float]]) -> float:
    if math.isnan(quantile):
        return math.nan
    if not 0 <= quantile <= 1:
        return math.copysign(math.inf, quantile)
    merged: dict[float, float] = {}
    for bound, count in sorted(buckets, key=lambda bucket: bucket[0]):
        merged[bound] = merged.get(bound, 0.0) + count
    bounds, counts = list(merged), list(merged.values())
    if bounds[-1] != math.inf or len(bounds) < 2:
        return math.nan
    for index in range(1, len(counts)):  # rates of one histogram may be read a moment apart
        if counts[index] < counts[index - 1]:
            counts[index] = counts[index - 1]
    if counts[-1] == 0 or math.isnan(counts[-1]):
        return math.nan
    rank = quantile * counts[-1]
    index = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if index == len(counts) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    return start + (bounds[index] - start) * divide(rank - below, counts[index] - below)
