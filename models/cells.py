"""How one value of one feature becomes the number that the graph takes: the rules, once, for `rows`.

A `Cell` turns a single value into a float. `Column` does the same for a whole column by arithmetic where the value is
plainly right, and asks its `Cell` about every other one, so that both ways cannot disagree.
"""

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from models.declaration import did_you_mean
from models.feature import MAX_EXACT_INTEGER, Feature, parse_date

Cell = Callable[[Any], float]
Floats = npt.NDArray[np.float64]

MAX_FLOAT32 = float(np.finfo(np.float32).max)
EPOCH = dt.date(1970, 1, 1).toordinal()
_PLAIN = frozenset({str, int, float, type(None), bool})


class Refused(Exception):  # noqa: N818  (an answer, caught by `rows`)
    """The value breaks a rule."""

    def __init__(self, rule: str, remedy: str) -> None:
        self.rule, self.remedy = rule, remedy


class Odd(Exception):  # noqa: N818  (an answer, caught by `rows`)
    """The value is taken as `number`, with a warning."""

    def __init__(self, number: float, rule: str, remedy: str) -> None:
        self.number, self.rule, self.remedy = number, rule, remedy


@dataclass(frozen=True)
class Column:
    """One feature's rules.

    `cell` knows them all. `fast` answers for a list of plain values, with NaN for each that `cell` must be asked about.
    """

    feature: Feature
    cell: Cell
    fast: Callable[[Sequence[Any]], Floats]
    low: float
    high: float

    def encode_array(self, values: npt.NDArray[Any]) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Numbers of a numeric array, and which cells `cell` must be asked about. NaN means missing here."""
        with np.errstate(invalid="ignore"):  # a NaN whose bits signal is one as any other
            numbers = values.astype(np.float64)
            right = (numbers >= self.low) & (numbers <= self.high)
            if self.feature.dtype == "integer":
                right &= numbers == np.floor(numbers)
        if self.feature.missing == "allow":
            right |= np.isnan(numbers)
        return numbers, ~right


def compile_column(feature: Feature) -> Column:
    """The rules of `feature`, ready to be applied."""
    if feature.dtype == "category":
        return _category(feature)
    if feature.dtype == "date":
        return _date(feature)
    return _number(feature)


def plain(value: Any) -> Any:
    """A table's value as JSON would have it: NaN, NaT and NA are null, dates ISO strings, numpy's scalars Python's."""
    if type(value) in _PLAIN and value == value:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat()
    return value.isoformat() if isinstance(value, dt.date) else value


def shortest(value: float) -> float:
    """The shortest decimal that is still the same float32: 0.1, not 0.10000000149."""
    return float(str(np.float32(value)))


@lru_cache(maxsize=65_536)  # a century of days, twice over; a table repeats its dates
def encode_date(text: str, encoding: str) -> float | None:
    """Days since 1970-01-01, or the year and the share of it that has passed; None where `text` is no date."""
    day = parse_date(text)
    if day is None:
        return None
    if encoding == "days":
        return float(day.toordinal() - EPOCH)
    first = dt.date(day.year, 1, 1).toordinal()
    return day.year + (day.toordinal() - first) / _days_in(day.year)


def decode_date(number: float, encoding: str) -> str:
    """The day that a number from `encode_date` names; float32 is exact enough for days and years up to 9999."""
    if encoding == "days":
        return dt.date.fromordinal(EPOCH + round(number)).isoformat()
    year = math.floor(number)
    passed = round((number - year) * _days_in(year))  # the last day may round up to next January; ordinals carry
    return dt.date.fromordinal(dt.date(year, 1, 1).toordinal() + passed).isoformat()


def _days_in(year: int) -> int:
    return 366 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 365


def _widened(low: float, high: float) -> tuple[float, float]:
    """The range, with its ends as float32 has them: a value that was encoded and decoded has not left it."""
    lows = (low, float(np.float32(low)), shortest(low))
    highs = (high, float(np.float32(high)), shortest(high))
    return min(lows), max(highs)


def _null(feature: Feature) -> float:
    if feature.missing == "refuse":
        raise Refused("null is not allowed", "send a value, or declare missing: allow")
    return math.nan


def _out_of_range(feature: Feature, number: float) -> float:
    unit = f" {feature.unit}" if feature.unit else ""
    low = "-" if feature.min is None else feature.min
    high = "-" if feature.max is None else feature.max
    rule, remedy = f"must be within [{low}, {high}]{unit}", "check the value and its unit"
    if feature.out_of_range == "refuse":
        raise Refused(rule, remedy)
    raise Odd(number, rule, remedy)


def _number(feature: Feature) -> Column:
    integer = feature.dtype == "integer"
    limit = float(MAX_EXACT_INTEGER) if integer else MAX_FLOAT32
    low = feature.min if isinstance(feature.min, float) else -limit
    high = feature.max if isinstance(feature.max, float) else limit
    low, high = _widened(low, high)
    low, high = max(low, -limit), min(high, limit)  # beyond them float32 has no such number

    def cell(value: Any) -> float:
        if type(value) is float or type(value) is int:
            if low <= value <= high and (not integer or value == int(value)):
                return float(value)
        elif value is None:
            return _null(feature)
        else:
            what = "a boolean" if isinstance(value, bool) else "a string" if isinstance(value, str) else "no number"
            raise Refused(f"must be {'an integer' if integer else 'a number'}, is {what}", "send a JSON number")
        if value != value or value in (math.inf, -math.inf):
            raise Refused("must be finite", "send null for a missing number")
        if integer and abs(value) > limit:
            rule = f"an integer must be within ±{MAX_EXACT_INTEGER:,}, where float32 is exact"
            raise Refused(rule, "rescale it, or declare dtype: float")
        if abs(value) > limit:
            raise Refused(f"must be within ±{limit:.4g}, the range of float32", "rescale it")
        if integer and value != int(value):
            raise Refused("must be an integer, has a fraction", "round it, or declare dtype: float")
        return _out_of_range(feature, float(value))

    def fast(values: Sequence[Any]) -> Floats:
        if set(map(type, values)) <= {float, int}:
            try:
                numbers = np.array(values, dtype=np.float64)
            except OverflowError:  # an integer beyond float64, which `cell` refuses
                numbers = np.array([v if low <= v <= high else math.nan for v in values], dtype=np.float64)
        else:
            fits = [type(v) in (float, int) and low <= v <= high for v in values]
            numbers = np.array([v if fit else math.nan for v, fit in zip(values, fits, strict=True)], dtype=np.float64)
        right = (numbers >= low) & (numbers <= high)
        if integer:
            right &= numbers == np.floor(numbers)
        return np.where(right, numbers, np.nan)

    return Column(feature, cell, fast, low, high)


def _category(feature: Feature) -> Column:
    codes: dict[Any, float] = {category: float(index) for index, category in enumerate(feature.categories)}
    absent = float(len(feature.categories))
    if feature.missing == "allow":
        codes[None] = codes[feature.missing_token] = absent

    def cell(value: Any) -> float:
        if value is None or type(value) is str:
            code = codes.get(value)
            if code is not None:
                return code
            if value is None or value == feature.missing_token:
                return _null(feature)
            known = ", ".join(feature.categories[:8]) + (", ..." if len(feature.categories) > 8 else "")
            rule, remedy = f"must be one of {known}", did_you_mean(value, feature.categories) or "send one of them"
            if feature.unknown == "as_missing":
                raise Odd(absent, rule, f"taken as missing; {remedy}")
            raise Refused(rule, remedy)
        raise Refused("must be a string, one of the categories", f'quote it, such as "{feature.categories[0]}"')

    def fast(values: Sequence[Any]) -> Floats:
        found = [codes.get(v) if v is None or type(v) is str else None for v in values]
        return np.array([math.nan if code is None else code for code in found], dtype=np.float64)

    return Column(feature, cell, fast, 0.0, absent)


def _date(feature: Feature) -> Column:
    encoding = feature.encoding or "days"
    first = encode_date(feature.min, encoding) if isinstance(feature.min, str) else None
    last = encode_date(feature.max, encoding) if isinstance(feature.max, str) else None
    low, high = (-math.inf if first is None else first), (math.inf if last is None else last)

    def cell(value: Any) -> float:
        if value is None:
            return _null(feature)
        number = encode_date(value, encoding) if type(value) is str else None
        if number is None:
            raise Refused("must be a date as YYYY-MM-DD", 'send a string such as "2010-06-30"')
        return number if low <= number <= high else _out_of_range(feature, number)

    def fast(values: Sequence[Any]) -> Floats:
        found = [encode_date(v, encoding) if type(v) is str else None for v in values]
        numbers = np.array([math.nan if number is None else number for number in found], dtype=np.float64)
        return np.where((numbers >= low) & (numbers <= high), numbers, np.nan)

    return Column(feature, cell, fast, low, high)
