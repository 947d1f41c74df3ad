"""The column to predict: can this task predict it, from this table? Pure; `mainline new` asks once."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from models.errors import ConfigError
from pipelines.infer_spec import Inferred, infer

MIN_ROWS = 100  # a quarter held out leaves 75, of which 15 calibrate the interval: 90 % coverage needs at least 10
MAX_CLASSES = 50
MIN_ROWS_PER_CLASS = 10  # fewer stand on one side of the split only, once in twenty tables


def understand(raw: pd.DataFrame, *, task: str, target: str) -> tuple[Inferred, list[str]]:
    """The cleaned rows that have a target, the features, and the classes.

    Raises:
        ConfigError: no such target, too few rows, a target that the task cannot predict, no feature left.
    """
    if target not in raw.columns:
        near = get_close_matches(target, list(raw.columns), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the table has {', '.join(map(repr, raw.columns))}"
        raise ConfigError([f"--target: got {target!r}, no such column, {hint}"])
    inferred = infer(raw, target)
    labelled = inferred.table[target].notna()
    if not labelled.all():
        inferred.notes.append(f"{target}: {int((~labelled).sum())} rows without a target are not in the copy")
        # again, since ranges and categories are those of the rows that stay
        kept = raw[labelled.to_numpy()].reset_index(drop=True)
        inferred = Inferred(**{**vars(infer(kept, target)), "notes": inferred.notes})
    if len(inferred.table) < MIN_ROWS:
        raise ConfigError([f"table: got {len(inferred.table)} rows with a target, at least {MIN_ROWS} are needed"])
    values = inferred.table[target]
    problems = _regression_problems(values) if task == "regression" else _class_problems(values)
    if not inferred.features:
        reasons = "; ".join(f"{column}: {reason}" for column, reason in inferred.left_out.items())
        problems.append(f"table: no column can be a feature ({reasons})")
    if problems:
        raise ConfigError([f"--target {target}: {line}" if not line.startswith("table") else line for line in problems])
    classes = [] if task == "regression" else _class_names(values)
    return inferred, classes


def _class_names(values: pd.Series[Any]) -> list[str]:
    """The classes, numbers in their order and texts in theirs."""
    distinct = values.unique().tolist()
    numeric = all(isinstance(value, int | float) for value in distinct)
    return [str(value) for value in (sorted(distinct) if numeric else sorted(distinct, key=str))]


def _regression_problems(values: pd.Series[Any]) -> list[str]:
    strange = [value for value in values.tolist() if not isinstance(value, int | float)]
    if strange:
        shown = ", ".join(repr(value) for value in dict.fromkeys(strange[:3]))
        return [f"got {shown}, a regression predicts numbers; take --task classification, or repair the column"]
    if values.nunique() < 3:
        return [f"got {values.nunique()} distinct numbers, a regression needs more; take --task classification"]
    return [] if np.isfinite(values.astype(float)).all() else ["got infinite values, all must be finite"]


def _class_problems(values: pd.Series[Any]) -> list[str]:
    counts = values.astype(str).value_counts()
    if len(counts) < 2:
        return [f"got {len(counts)} class, at least two are needed"]
    if len(counts) > MAX_CLASSES:
        return [f"got {len(counts)} distinct values, at most {MAX_CLASSES} classes; numbers are a regression's target"]
    return [
        f"class {str(label)!r}: got {count} rows, each class needs at least {MIN_ROWS_PER_CLASS}; merge or remove it"
        for label, count in counts.items()
        if count < MIN_ROWS_PER_CLASS
    ]
