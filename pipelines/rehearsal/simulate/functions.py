"""PromQL's functions of vectors and numbers at one instant."""

import math
from collections.abc import Callable

from pipelines.rehearsal.simulate.aggregation import histogram_quantile
from pipelines.rehearsal.simulate.operators import QueryError, Vector, nameless, unique

Value = Vector | float


def vector_of(value: Value) -> Vector:
    """The vector. Raises QueryError where it is a number."""
    if isinstance(value, float):
        raise QueryError("expected a vector, got a number")
    return value


def number_of(value: Value) -> float:
    """The number. Raises QueryError where it is a vector."""
    if not isinstance(value, float):
        raise QueryError("expected a number, got a vector")
    return value


def _each(function: Callable[..., float]) -> Callable[..., Value]:
    """Of each sample of a vector, with further numbers."""

    def run(now: float, vector: Value, *further: Value) -> Value:
        extra = [number_of(each) for each in further]
        return unique([(nameless(labels), function(value, *extra)) for labels, value in vector_of(vector)])

    return run


def _scalar(now: float, vector: Value) -> Value:
    found = vector_of(vector)
    return found[0][1] if len(found) == 1 else math.nan


CALLS: dict[str, Callable[..., Value]] = {
    "time": lambda now: now,
    "vector": lambda now, value: [({}, number_of(value))],
    "scalar": _scalar,
    "absent": lambda now, value: value,
    "timestamp": lambda now, vector: [(nameless(labels), now) for labels, _ in vector_of(vector)],
    "histogram_quantile": lambda now, quantile, vector: histogram_quantile(number_of(quantile), vector_of(vector)),
    "abs": _each(abs),
    "sqrt": _each(lambda value: math.sqrt(value) if value >= 0 else math.nan),
    "ceil": _each(lambda value: float(math.ceil(value)) if math.isfinite(value) else value),
    "floor": _each(lambda value: float(math.floor(value)) if math.isfinite(value) else value),
    "clamp_min": _each(lambda value, low: math.nan if math.isnan(value) or math.isnan(low) else max(value, low)),
    "clamp_max": _each(lambda value, high: math.nan if math.isnan(value) or math.isnan(high) else min(value, high)),
    "clamp": _each(lambda value, low, high: math.nan if math.isnan(value) else max(low, min(high, value))),
}
