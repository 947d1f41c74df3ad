"""Features from a table that nobody prepared: types, ranges, categories, and which columns are of no use, with reasons.

Pure: a frame in, a cleaned frame with features out. `mainline new` calls it once; afterwards people own model.yaml.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from models.feature import MAX_EXACT_INTEGER
from pipelines.starter.values import Column, read_column

MARGIN = 0.1  # of the observed span, on each side: tomorrow's rows are a little wider than today's
DATE_MARGIN_DAYS = 366  # a table usually ends today, and its model serves until the next training
MAX_CATEGORIES = 50  # beyond, most categories have too few rows to be learnt
MIN_ROWS_PER_CATEGORY = 4  # on average; below, the column is free text or an identifier
MAX_MISSING_SHARE = 0.6  # beyond, imputed values outnumber observed ones
ID_NAME = re.compile(
    r"(^|[_\W])(id|uuid|guid|key|index|idx|rownames?|row_?number|serial)$|^unnamed: \d+$|^$", re.IGNORECASE
)


@dataclass
class Inferred:
    """What a table gives.

    Attributes:
        table: all columns of the source, those that are used with one spelling for missing values and dates.
        features: as model.yaml has them, in the table's order.
        notes: what was changed or kept, for the person who called.
        left_out: column to the reason why it is no feature.
    """

    table: pd.DataFrame
    features: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def infer(raw: pd.DataFrame, target: str) -> Inferred:
    """Features of every column but the target.

    Args:
        raw: rows as the file has them; text columns may hold numbers, dates and any spelling of missing.
        target: the column to predict; it is cleaned, never a feature.
    """
    result = Inferred(raw.copy())
    for name in map(str, raw.columns):
        column = read_column(raw[name])
        result.notes += [f"{name}: {note}" for note in column.notes]
        result.table[name] = column.values
        if name == target:
            continue
        reason = _useless(name, column)
        if reason:
            result.left_out[name] = reason
            continue
        result.features.append({"name": name, **_declared(column)})
    return result


def _useless(name: str, column: Column) -> str:
    """Why a column cannot be a feature; empty where it can."""
    n_rows, present = len(column.values), column.values.dropna()
    if column.problem:
        return column.problem
    if present.empty:
        return "all values are missing"
    distinct = present.nunique()
    if distinct == 1:
        return f"constant: every value is {str(present.iloc[0])[:40]!r}"
    share = 1 - len(present) / n_rows
    if share > MAX_MISSING_SHARE:
        return f"{share:.0%} of its values are missing, at most {MAX_MISSING_SHARE:.0%} may be"
    unique = distinct == len(present) and len(present) == n_rows
    if unique and column.kind in ("integer", "category") and ID_NAME.search(name):
        return "an identifier by its name, with another value in every row; put it into data.key if it names an example"
    if unique and column.kind == "integer" and np.ptp(present.astype("int64")) == n_rows - 1:
        return "an identifier: it counts the rows"
    if column.kind == "category" and (distinct > MAX_CATEGORIES or distinct * MIN_ROWS_PER_CATEGORY > len(present)):
        return (
            f"text with {distinct} distinct values in {len(present)} rows: an identifier or free text, not a category"
        )
    return ""


def _declared(column: Column) -> dict[str, Any]:
    """The keys of a feature besides its name."""
    present = column.values.dropna()
    missing = {"missing": "allow"} if len(present) < len(column.values) else {}
    if column.kind == "category":
        categories = sorted(str(value) for value in present.unique())
        # where a missing value is known to happen, a new category can be treated as one; elsewhere a person decides
        unknown = {"unknown": "as_missing"} if missing else {}
        return {"dtype": "category", "categories": categories, **missing, **unknown}
    if column.kind == "date":
        days = pd.to_datetime(present, format="%Y-%m-%d")
        margin = pd.Timedelta(days=DATE_MARGIN_DAYS)
        ends = [(days.min() - margin).date().isoformat(), (days.max() + margin).date().isoformat()]
        return {"dtype": "date", "encoding": "days", "min": ends[0], "max": ends[1], **missing}
    low, high = widened(float(present.min()), float(present.max()))
    if column.kind == "integer":
        limit = MAX_EXACT_INTEGER
        return {"dtype": "integer", "min": max(-limit, math.floor(low)), "max": min(limit, math.ceil(high)), **missing}
    return {"dtype": "float", "min": low, "max": high, **missing}


def widened(low: float, high: float) -> tuple[float, float]:
    """A range with `MARGIN` of its span on each side, rounded outward; what is never negative stays so."""
    span = high - low
    step = 10.0 ** (math.floor(math.log10(span)) - 2)  # three digits of the span: no false precision in model.yaml
    wide_low = math.floor((low - MARGIN * span) / step) * step
    wide_high = math.ceil((high + MARGIN * span) / step) * step
    digits = max(0, -math.floor(math.log10(step)))
    wide_low, wide_high = round(wide_low, digits), round(wide_high, digits)
    if low >= 0:
        wide_low = max(0.0, wide_low)
    if high <= 0:
        wide_high = min(0.0, wide_high)
    return wide_low, wide_high
