"""A model's table: the data file as it is, and encoded by the one encoder that serving uses too."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from models.rows import encode_columns
from models.spec import ModelSpec
from pipelines.errors import ConfigError, DataMismatch


@dataclass(frozen=True)
class Table:
    """All rows of a model's file.

    Attributes:
        raw: (n, columns of the file) values as read.
        matrix: (n, n_features) float32, encoded, in the spec's order.
        target: (n,) int64 class indices, or float64 values in the target's unit.
    """

    spec: ModelSpec
    raw: pd.DataFrame
    matrix: npt.NDArray[np.float32]
    target: npt.NDArray[np.generic]

    def frame(self, rows: npt.NDArray[np.generic]) -> pd.DataFrame:
        """What `fit` gets: encoded float32 features of some rows, and the target (class names, or float64 values)."""
        frame = pd.DataFrame(self.matrix[rows], columns=list(self.spec.feature_names))
        target = self.target[rows]
        frame[self.spec.target.name] = (
            np.array(self.spec.classes, dtype=object)[target] if self.spec.classes else target
        )
        return frame


def read_raw(path: Path, spec: ModelSpec) -> pd.DataFrame:
    """The file's rows; an empty field of a CSV is the only spelling of missing, categories and dates stay text.

    Raises:
        DataMismatch: the file is absent or cannot be parsed.
    """
    texts = [feature.name for feature in spec.features if feature.dtype in ("category", "date")]
    if spec.task == "classification":
        texts.append(spec.target.name)
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(
                path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(texts, "str"), low_memory=False
            )
    except (OSError, ValueError) as error:
        raise DataMismatch(f"{path}: cannot be read ({error}); restore the file with `dvc pull`") from error
    numbers = [feature.name for feature in spec.features if feature.dtype in ("float", "integer")]
    for name in numbers:
        if path.suffix == ".csv" and name in frame and not is_numeric_dtype(frame[name].dtype):
            # one word among numbers makes all of a CSV's column text; undone, so that the word alone is refused
            frame[name] = pd.Series([_number(value) for value in frame[name].tolist()], dtype=object, index=frame.index)
    for feature in spec.features:
        if feature.dtype == "date" and feature.name in frame:
            frame[feature.name] = pd.Series(
                [_iso(value) for value in frame[feature.name].tolist()], dtype=object, index=frame.index
            )
    return frame


def read_table(path: Path, spec: ModelSpec) -> Table:
    """The file's rows, encoded; for steps that run after validation.

    Raises:
        RowsRefused: rows that the spec does not allow.
        ConfigError: a column or a class is not there.
    """
    raw = read_raw(path, spec)
    absent = [name for name in (*spec.feature_names, spec.target.name, *spec.data.key) if name not in raw]
    if absent:
        raise ConfigError([f"{path}: column {name}: got nothing, model.yaml declares it" for name in absent])
    return Table(spec, raw, encode_raw(raw, spec), read_target(raw, spec))


def encode_raw(raw: pd.DataFrame, spec: ModelSpec) -> npt.NDArray[np.float32]:
    """(n, n_features) float32 of rows as read."""
    return encode_columns(columns(raw, spec.feature_names), spec.features).matrix


def columns(raw: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """Columns as the encoder takes them: floats as arrays with NaN, others as lists with None for missing."""
    return {name: raw[name].to_numpy() if is_float_dtype(raw[name].dtype) else plain_list(raw[name]) for name in names}


def plain_list(column: pd.Series) -> list[object]:
    """A column's values, missing ones as None."""
    return [None if _is_missing(value) else value for value in column.tolist()]


def read_target(raw: pd.DataFrame, spec: ModelSpec) -> npt.NDArray[np.generic]:
    """(n,) class indices or values.

    Raises:
        ConfigError: a target is missing, not a number, or none of the classes; each distinct value is named once.
    """
    name = spec.target.name
    values = plain_list(raw[name])
    if spec.task == "regression":
        strange = [value for value in values if not _is_number(value)]
        rule = "must be a finite number"
    else:
        values = [None if value is None else _class_text(value) for value in values]
        strange = [value for value in values if value not in spec.classes]
        rule = f"must be one of {', '.join(spec.classes)}"
    if strange:
        distinct = list(dict.fromkeys(map(repr, strange)))[:10]
        raise ConfigError([f"target {name}: got {text} ({len(strange)} rows in all), {rule}" for text in distinct])
    if spec.task == "regression":
        return np.array(values, dtype=np.float64)
    index = {text: number for number, text in enumerate(spec.classes)}
    return np.array([index[str(value)] for value in values], dtype=np.int64)


def _class_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _iso(value: object) -> object:
    if value is pd.NaT:
        return None
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, dt.date) else value
