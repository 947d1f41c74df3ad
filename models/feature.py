"""One input of a model: its name, type, range or categories, and what happens to values outside them.

`spec` reads features from model.yaml and `bundle` carries them to the server; `rows` encodes by them.
"""

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import PlainValidator, StringConstraints, model_validator

from models.declaration import Declared, Location, Problem, did_you_mean, show

# float32 holds every integer up to here; beyond, two different values would become one in the graph.
MAX_EXACT_INTEGER = 2**24

Name = Annotated[str, StringConstraints(min_length=1)]
Dtype = Literal["float", "integer", "category", "date"]


def _bound(value: object) -> float | str | None:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()  # YAML reads an unquoted 2006-01-01 as a date
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise AssertionError("must be a finite number, or a date as YYYY-MM-DD")


Bound = Annotated[float | str | None, PlainValidator(_bound)]


class Feature(Declared, defer_build=True):
    """One input of a model.

    `min` and `max` are numbers, or ISO dates for a date; both ends belong to the range. A missing category is null
    outside (`missing_token` is understood too), and the index after the last category inside the graph. Values of a
    `sensitive` feature are not recorded by the capture log; so the judge of drift does not see them.
    """

    name: Name
    dtype: Dtype
    unit: str | None = None
    min: Bound = None
    max: Bound = None
    out_of_range: Literal["warn", "refuse"] = "warn"
    missing: Literal["allow", "refuse"] = "refuse"
    categories: tuple[Name, ...] = ()
    missing_token: Name = "(missing)"  # noqa: S105  (no password)
    unknown: Literal["as_missing", "refuse"] = "refuse"
    encoding: Literal["days", "year_fraction"] | None = None
    sensitive: bool = False

    @model_validator(mode="after")
    def _obeys_rules(self) -> Self:
        problems = [f"{p.location[-1]}: got {p.got}, {p.rule}" for p in feature_problems(dict(self), ())]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def feature_problems(raw: Mapping[str, Any], at: Location) -> Iterator[Problem]:
    """What only several keys of one feature together show to be wrong. Wrong types are the schema's affair."""
    dtype = raw.get("dtype")
    if dtype == "category":
        yield from _category_problems(raw, at)
    elif dtype in ("float", "integer", "date"):
        if raw.get("categories"):
            yield Problem((*at, "categories"), show(raw["categories"]), "only a category has categories")
        if raw.get("unknown", "refuse") == "as_missing":
            yield Problem((*at, "unknown"), '"as_missing"', "only a category can be unknown")
        yield from _range_problems(raw, at, is_date=dtype == "date")
    if dtype == "date" and raw.get("encoding") is None:
        yield Problem((*at, "encoding"), "nothing", "a date declares its encoding: days or year_fraction")
    if dtype in ("float", "integer", "category") and raw.get("encoding") is not None:
        yield Problem((*at, "encoding"), show(raw["encoding"]), "only a date has an encoding")


def _category_problems(raw: Mapping[str, Any], at: Location) -> Iterator[Problem]:
    categories = raw.get("categories") or ()
    if not isinstance(categories, list | tuple):
        return
    if not categories:
        yield Problem((*at, "categories"), "nothing", "a category lists at least one category")
    for twice in sorted({str(c) for c in categories if list(categories).count(c) > 1}):
        yield Problem((*at, "categories"), show(twice), "each category stands once")
    token = raw.get("missing_token", "(missing)")
    if token in categories:
        yield Problem((*at, "missing_token"), show(token), "must not be one of the categories")
    if raw.get("unknown") == "as_missing" and raw.get("missing", "refuse") != "allow":
        yield Problem((*at, "unknown"), '"as_missing"', "needs missing: allow")
    for key in ("min", "max"):
        if raw.get(key) is not None:
            yield Problem((*at, key), show(raw[key]), "a category has no range")


def _range_problems(raw: Mapping[str, Any], at: Location, *, is_date: bool) -> Iterator[Problem]:
    ends: dict[str, Any] = {}
    for key in ("min", "max"):
        value = raw.get(key)
        if value is None:
            continue
        if is_date:
            value = value.isoformat() if isinstance(value, dt.date) else value
            if isinstance(value, str) and parse_date(value) is not None:
                ends[key] = value
            else:
                yield Problem((*at, key), show(value), 'must be a date as "YYYY-MM-DD"')
        elif isinstance(value, str | dt.date):
            yield Problem((*at, key), show(value), "must be a number", "1e-3 is written 1.0e-3")
        elif isinstance(value, int | float):
            ends[key] = value
            if raw.get("dtype") == "integer" and abs(value) > MAX_EXACT_INTEGER:
                yield Problem((*at, key), show(value), f"an integer's range ends at {MAX_EXACT_INTEGER:,}", "float?")
    if len(ends) == 2 and ends["min"] > ends["max"]:
        yield Problem((*at, "min"), show(ends["min"]), f"must not exceed max, {show(ends['max'])}")


def parse_date(text: str) -> dt.date | None:
    """The day that `text` (YYYY-MM-DD and nothing else) names, or None where it names none."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        return None  # fromisoformat also takes 20060101 and 2006-W01-1
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def name_problems(names: list[object], known: list[str], at: Location, rule: str) -> Iterator[Problem]:
    """Those of `names` that are no known name."""
    for index, name in enumerate(names):
        if isinstance(name, str) and name not in known:
            yield Problem((*at, index), show(name), rule, did_you_mean(name, known))


def all_numbers(features: Sequence[Feature]) -> bool:
    """Whether one array of numbers can hold their rows."""
    return all(feature.dtype in ("float", "integer") for feature in features)
