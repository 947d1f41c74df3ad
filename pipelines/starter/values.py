"""One column of a table that nobody prepared: what kind of values it holds, with one spelling for each.

A CSV's values come as text and a Parquet file's typed; both end as numbers, category texts or ISO dates, and None.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from models.feature import MAX_EXACT_INTEGER

# Spellings that mean missing wherever they stand, and those that do so only among numbers or dates: as text, "None" or
# "-" may well be a category of its own.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "<na>", "#n/a", "nat", "(missing)"})
MISSING_AMONG_NUMBERS = MISSING | {"none", "?", "-", "--", ".", "unknown", "missing"}
MOSTLY = 0.8  # a share of numbers above which a text column is a damaged numeric one rather than categories
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
DATE_LIKE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?Z?$")

Kind = Literal["float", "integer", "category", "date"]


@dataclass(frozen=True)
class Column:
    """A column read; `problem` says why no kind fits, `notes` what was changed on the way."""

    values: pd.Series[Any]
    kind: Kind
    notes: tuple[str, ...] = ()
    problem: str = ""


def read_column(raw: pd.Series[Any]) -> Column:
    """The kind and the cleaned values of a column."""
    if pd.api.types.is_bool_dtype(raw):
        return _text(raw.map(lambda value: None if pd.isna(value) else str(bool(value))))
    if pd.api.types.is_datetime64_any_dtype(raw):
        return _days(raw, pd.to_datetime(raw), ())
    if pd.api.types.is_numeric_dtype(raw):
        return _numbers(raw, pd.to_numeric(raw).astype("float64"), ())
    present = [value for value in raw.tolist() if not _missing(value)]
    if present and all(isinstance(value, dt.date) for value in present):
        return _days(raw, pd.to_datetime(raw), ())
    if present and all(isinstance(value, bool) for value in present):
        return _text(raw.map(lambda value: None if _missing(value) else str(value)))
    strange = {type(value).__name__ for value in present if not isinstance(value, str)}
    if strange:
        return Column(raw, "category", problem=f"holds values of type {', '.join(sorted(strange))}")
    return _parse(raw.map(lambda value: None if _missing(value) else str(value).strip()).astype(object))


def _parse(texts: pd.Series[Any]) -> Column:
    """Text: numbers or dates where all of it reads as such, else categories."""
    lowered = texts.map(lambda value: "" if value is None else str(value).lower())
    blank = lowered.isin(sorted(MISSING_AMONG_NUMBERS))
    candidates = texts[~blank].astype(str)
    if len(candidates):
        numbers = pd.to_numeric(candidates, errors="coerce")
        padded = candidates.str.fullmatch(r"0\d+").any()  # 01234 is a code, not a number
        if numbers.notna().all() and not padded:
            notes = _spellings(lowered[blank])
            return _numbers(texts, numbers.reindex(texts.index).astype("float64"), notes)
        if float(numbers.notna().mean()) >= MOSTLY and not padded and candidates.nunique() > 20:
            bad = candidates[numbers.isna()]
            shown = ", ".join(repr(value) for value in bad.unique()[:3])
            return Column(
                texts, "category", problem=f"{len(bad)} of {len(candidates)} values are not numbers ({shown})"
            )
        if candidates.str.fullmatch(DATE_LIKE).all():
            return _dates(texts, candidates.str.replace(MIDNIGHT, "", regex=True), _spellings(lowered[blank]))
    gone = lowered.isin(sorted(MISSING))
    return _text(texts.mask(gone, None), _spellings(lowered[gone]))


def _dates(texts: pd.Series[Any], candidates: pd.Series[str], notes: tuple[str, ...]) -> Column:
    """Text that looks like dates: one format must fit all of it, and only one."""
    fitting = {}
    for shape in DATE_FORMATS:
        days = pd.to_datetime(candidates, format=shape, errors="coerce")
        if days.notna().all():
            fitting[shape] = days
    if not fitting:
        return Column(
            texts, "category", problem="looks like dates but no one format fits all; write them as YYYY-MM-DD"
        )
    if len({tuple(days.tolist()) for days in fitting.values()}) > 1:
        rule = f"dates that read in several ways ({', '.join(fitting)}); write them as YYYY-MM-DD"
        return Column(texts, "category", problem=rule)
    shape, days = next(iter(fitting.items()))
    if shape != "%Y-%m-%d":
        notes = (*notes, f"dates written as {shape} became YYYY-MM-DD")
    return _days(texts, days.reindex(texts.index), notes)


def _days(raw: pd.Series[Any], days: pd.Series[pd.Timestamp], notes: tuple[str, ...]) -> Column:
    iso = [None if pd.isna(day) else day.date().isoformat() for day in days.tolist()]
    return Column(pd.Series(iso, index=raw.index, dtype=object), "date", notes)


def _numbers(raw: pd.Series[Any], numbers: pd.Series[float], notes: tuple[str, ...]) -> Column:
    present = numbers.dropna()
    if not np.isfinite(present).all():
        return Column(raw, "float", notes, problem="holds infinite values")
    if len(present) and float(present.abs().max()) > float(np.finfo(np.float32).max):
        return Column(raw, "float", notes, problem="holds numbers beyond what float32 can hold")
    if len(present) and (present == present.round()).all() and present.abs().max() <= MAX_EXACT_INTEGER:
        return Column(numbers.astype("Int64").astype(object).where(numbers.notna(), None), "integer", notes)
    return Column(numbers.astype(object).where(numbers.notna(), None), "float", notes)


def _text(texts: pd.Series[Any], notes: tuple[str, ...] = ()) -> Column:
    return Column(texts.astype(object).where(texts.notna(), None), "category", notes)


def _spellings(blank: pd.Series[str]) -> tuple[str, ...]:
    """A note on the texts that were read as missing, besides the empty one."""
    counts = blank[blank != ""].value_counts()
    return tuple(f'"{text}" is read as missing ({count} rows)' for text, count in counts.items())


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))
