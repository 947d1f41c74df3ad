"""Operators and functions on values, as Go computes them: whole numbers and floats apart, true is no number.

Source: expr-lang v1.17.7, vm/runtime and builtin/lib.go; Argo Rollouts 1.10.0, utils/evaluate/evaluate.go.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from pipelines.rehearsal.expression.errors import ExpressionError, UnsupportedExpression

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_SPECIAL = re.compile(r"(?:[+-]?(?:inf|infinity)|nan)", re.IGNORECASE)
# What Go on amd64 makes of a float that no 64-bit integer holds.
_NO_INTEGER = -(2**63)


def number(value: object) -> float | None:
    """The value where it is a number; None where it is not (true and false are not)."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def words(value: object) -> str:
    """The value as an error names it."""
    kinds = {type(None): "nil", bool: "a boolean", int: "an integer", float: "a number", str: "a string", dict: "a map"}
    return kinds.get(type(value), "a list")


def wrong(operator: str, *values: object) -> ExpressionError:
    return ExpressionError(f"{operator} is not defined on {' and '.join(map(words, values))}")


def equal(one: object, other: object) -> bool:
    """Numbers by value, lists element by element, all else by type and value; NaN equals nothing."""
    if number(one) is not None and number(other) is not None:
        return one == other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return _same(one, other)


def _same(one: object, other: object) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def ordered(operator: str, one: object, other: object) -> bool:
    a, b = number(one), number(other)
    if a is not None and b is not None:
        return _ORDER[operator](a, b)
    if isinstance(one, str) and isinstance(other, str):
        left, right = one.encode(), other.encode()
        return _ORDER[operator]((left > right) - (left < right), 0)
    raise wrong(operator, one, other)


_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def computed(operator: str, one: object, other: object) -> object:
    """`+ - * / % **` of two values."""
    if operator == "+" and isinstance(one, str) and isinstance(other, str):
        return one + other
    a, b = number(one), number(other)
    if a is None or b is None:
        raise wrong(operator, one, other)
    if operator == "%":
        if not isinstance(a, int) or not isinstance(b, int):
            raise wrong(operator, one, other)
        if b == 0:
            raise ExpressionError("a remainder of a division by zero")
        return int(math.fmod(a, b))
    if operator in ("/", "**"):
        return (_divided if operator == "/" else _power)(float(a), float(b))
    return {"+": a + b, "-": a - b, "*": a * b}[operator]


def _divided(one: float, other: float) -> float:
    if other != 0:
        return one / other
    if one == 0 or math.isnan(one):
        return math.nan
    return math.copysign(math.inf, one) * math.copysign(1, other)


def _power(one: float, other: float) -> float:
    try:
        return math.pow(one, other)
    except OverflowError:
        return -math.inf if one < 0 and other % 2 == 1 else math.inf
    except ValueError:
        if one != 0:
            return math.nan
        return math.copysign(math.inf, one) if other % 2 == 1 else math.inf


def affixed(operator: str, one: object, other: object) -> bool:
    """`contains`, `startsWith`, `endsWith`; nil contains nothing and is contained nowhere."""
    if one is None or other is None:
        return False
    if not isinstance(one, str) or not isinstance(other, str):
        raise wrong(operator, one, other)
    if operator == "contains":
        return other in one
    return one.startswith(other) if operator == "startsWith" else one.endswith(other)


def contained(needle: object, among: object) -> bool:
    """`in` for a list or a map's keys; nothing is in nil."""
    match among:
        case None:
            return False
        case list() | tuple():
            return any(equal(each, needle) for each in among)
        case dict():
            if needle is not None and not isinstance(needle, str):
                raise wrong("in", needle, among)
            return (needle or "") in among
    raise wrong("in", needle, among)


def fetched(of: object, key: object) -> object:
    """`of[key]`: a list by position (negative from the end), a map by name (nil where absent)."""
    match of:
        case list() | tuple():
            position = number(key)
            if position is None:
                raise wrong("[]", of, key)
            index = to_integer(position)
            if not -len(of) <= index < len(of):
                raise ExpressionError(f"element {index} of a list of {len(of)}")
            return of[index]
        case dict():
            if key is not None and not isinstance(key, str):
                raise wrong("[]", of, key)
            return of.get(key or "")
    raise ExpressionError(f"{key!r} of {words(of)}")


def to_integer(value: float) -> int:
    """Truncated, as Go converts."""
    if not math.isfinite(value) or not -(2**63) <= value < 2**63:
        return _NO_INTEGER
    return int(value)


def as_integer(name: str, value: object) -> int:
    """`asInt` and `int`."""
    found = number(value)
    if found is not None:
        return to_integer(found)
    if isinstance(value, str) and _WHOLE.fullmatch(value) and -(2**63) <= int(value) < 2**63:
        return int(value)
    raise ExpressionError(f"{name} of {value!r}" if isinstance(value, str) else f"{name} of {words(value)}")


def as_float(name: str, value: object) -> float:
    """`asFloat` and `float`."""
    found = number(value)
    if found is not None:
        return float(found)
    if isinstance(value, str) and (_DECIMAL.fullmatch(value) or _SPECIAL.fullmatch(value)):
        parsed = float(value)
        if math.isfinite(parsed) or _SPECIAL.fullmatch(value):
            return parsed
    raise ExpressionError(f"{name} of {value!r}" if isinstance(value, str) else f"{name} of {words(value)}")


def length(value: object) -> int:
    if isinstance(value, list | tuple | dict | str):
        return len(value)
    raise wrong("len", value)


def rounded(name: str, value: object) -> float:
    """`ceil`, `floor` and `round` (halves away from zero), always a float."""
    found = number(value)
    if found is None:
        raise wrong(name, value)
    if isinstance(found, int) or not math.isfinite(found):
        return float(found)
    if name == "round":
        whole = float(math.trunc(found))
        return whole + math.copysign(1, found) if abs(found - whole) >= 0.5 else whole
    return float(math.ceil(found) if name == "ceil" else math.floor(found))


def extreme(name: str, values: Iterable[object]) -> object:
    """`min` and `max` of numbers and lists of them; the first of NaN and a number stays."""
    given = list(values)
    best: object = None
    for value in given:
        if isinstance(value, list | tuple):
            for each in value:
                inner = extreme(name, [each])
                if number(inner) is None:
                    raise wrong(name, inner)
                best = _better(name, best, inner)
        elif number(value) is not None:
            best = _better(name, best, value)
        elif len(given) == 1:
            return value
        else:
            raise wrong(name, value)
    return best


def _better(name: str, best: object, value: object) -> object:
    if best is None or ordered("<" if name == "max" else ">", best, value):
        return value
    return best


def mean(values: Iterable[object]) -> float:
    flat = list(_flat(values))
    return math.fsum(flat) / len(flat) if flat and all(map(math.isfinite, flat)) else sum(flat) / max(len(flat), 1)


def _flat(values: Iterable[object]) -> Iterable[float]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
            continue
        found = number(value)
        if found is None:
            raise wrong("mean", value)
        yield float(found)


def text(value: object) -> str:
    """The value as Go's `%v` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
        case float():
            return _printed(value)
        case list() | tuple():
            return f"[{' '.join(map(text, value))}]"
        case dict():
            return f"map[{' '.join(f'{key}:{text(value[key])}' for key in sorted(value))}]"
    return str(value)


def _printed(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    decimal = Decimal(repr(value)).normalize()
    exponent = decimal.adjusted() if value else 0
    if not -4 <= exponent < 21:
        digits = "".join(map(str, decimal.as_tuple().digits))
        point = f"{digits[0]}.{digits[1:]}" if digits[1:] else digits
        return f"{'-' if value < 0 else ''}{point}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return f"{decimal:f}" if value else "-0" if math.copysign(1, value) < 0 else "0"


def elements(value: object) -> Sequence[object]:
    """What a closure is asked of."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, str | Mapping):
        if value:
            raise UnsupportedExpression(f"a closure over {words(value)} is not covered, only over a list")
        return ()
    raise ExpressionError(f"{words(value)} has no elements")
