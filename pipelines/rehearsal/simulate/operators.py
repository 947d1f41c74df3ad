"""PromQL's operators between vectors and numbers, samples paired by their labels."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.rehearsal.simulate.series import NAME, Labels

Sample = tuple[Labels, float]
Vector = list[Sample]
Key = tuple[str, ...] | frozenset[tuple[str, str]]


class QueryError(Exception):
    """Prometheus would answer the query with an error."""


@dataclass(frozen=True)
class Matching:
    """Which labels pair the samples of two vectors, and whether one side may have many to one of the other."""

    on: bool = False
    labels: tuple[str, ...] = ()
    card: str = "one-to-one"
    include: tuple[str, ...] = ()

    def key(self, labels: Labels) -> Key:
        """Equal for samples that belong together."""
        if self.on:
            return tuple(labels.get(name, "") for name in self.labels)
        return frozenset(item for item in labels.items() if item[0] != NAME and item[0] not in self.labels)


def divide(left: float, right: float) -> float:
    """As floating point says: by zero gives an infinity or NaN."""
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _modulo(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf if left > 0 or right % 2 == 0 else -math.inf
    except ValueError:
        return math.inf if left == 0 else math.nan


ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": divide,
    "%": _modulo,
    "^": _power,
}
COMPARISON: Mapping[str, Callable[[float, float], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}
SETS = ("and", "or", "unless")


def nameless(labels: Labels) -> Labels:
    """Without the metric's name: what was computed is no longer that metric."""
    return {name: value for name, value in labels.items() if name != NAME}


def unique(vector: Vector) -> Vector:
    """The vector. Raises QueryError where two samples have the same labels."""
    if len(vector) > 1 and len({frozenset(labels.items()) for labels, _ in vector}) < len(vector):
        raise QueryError("vector cannot contain metrics with the same labelset")
    return vector


def numbers(op: str, left: float, right: float) -> float:
    """Of two numbers; a comparison is 1 or 0."""
    return ARITHMETIC[op](left, right) if op in ARITHMETIC else float(COMPARISON[op](left, right))


def with_number(op: str, vector: Vector, number: float, *, swapped: bool, as_bool: bool) -> Vector:
    """Of a vector and a number, which stands on the left where `swapped`. A comparison keeps the vector's values."""
    found: Vector = []
    for labels, value in vector:
        left, right = (number, value) if swapped else (value, number)
        if op in ARITHMETIC:
            found.append((nameless(labels), ARITHMETIC[op](left, right)))
        elif as_bool:
            found.append((nameless(labels), float(COMPARISON[op](left, right))))
        elif COMPARISON[op](left, right):
            found.append((labels, value))
    return unique(found)


def sets(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """`and`, `or`, `unless`."""
    if op == "or":
        known = {matching.key(labels) for labels, _ in left}
        return [*left, *(sample for sample in right if matching.key(sample[0]) not in known)]
    known = {matching.key(labels) for labels, _ in right}
    return [sample for sample in left if (matching.key(sample[0]) in known) is (op == "and")]


def vectors(op: str, left: Vector, right: Vector, matching: Matching, *, as_bool: bool) -> Vector:
    """Of two vectors, paired by their labels."""
    swapped = matching.card == "one-to-many"
    many, one = (right, left) if swapped else (left, right)
    by_key: dict[Key, Sample] = {}
    for sample in one:
        if by_key.setdefault(matching.key(sample[0]), sample) is not sample:
            raise QueryError("found duplicate series for the match group: many-to-many matching not allowed")
    found: Vector = []
    used: set[Key] = set()
    for labels, value in many:
        key = matching.key(labels)
        if key not in by_key:
            continue
        other_labels, other = by_key[key]
        a, b = (other, value) if swapped else (value, other)
        if op in COMPARISON and not as_bool:
            if not COMPARISON[op](a, b):
                continue
            result = a
        else:
            result = numbers(op, a, b)
        if matching.card == "one-to-one":
            if key in used:
                raise QueryError("multiple matches for labels: many-to-one matching must be explicit")
            used.add(key)
        found.append((_paired(op, labels, other_labels, matching, as_bool=as_bool), result))
    return unique(found)


def _paired(op: str, labels: Labels, other: Labels, matching: Matching, *, as_bool: bool) -> Labels:
    kept = dict(labels)
    if op in ARITHMETIC or as_bool:
        kept.pop(NAME, None)
    if matching.card == "one-to-one":
        if matching.on:
            return {name: value for name, value in kept.items() if name in matching.labels}
        return {name: value for name, value in kept.items() if name not in matching.labels}
    for name in matching.include:
        if other.get(name):
            kept[name] = other[name]
        else:
            kept.pop(name, None)
    return kept
