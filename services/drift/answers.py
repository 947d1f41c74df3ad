"""Answers of a model as numbers, one column an output: from a graph, from a bundle's rows, or from the capture log.

A regression has prediction, lower, upper and the interval's width; a classification the probability of each class and
its confidence, the largest of them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.manifest import Manifest

Values = npt.NDArray[np.float64]

CONFIDENCE, WIDTH = "confidence", "width"
PROBABILITY = "probability:"


@dataclass(frozen=True)
class Answers:
    """(n, n_outputs) float64, NaN where there is no finite answer; `names` of the columns."""

    names: tuple[str, ...]
    values: Values

    def __len__(self) -> int:
        return len(self.values)

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        """(n,) rows of which every output is finite."""
        return np.asarray(np.isfinite(self.values).all(axis=1))

    def at(self, rows: npt.NDArray[Any]) -> "Answers":
        """Some of the rows, by index or mask."""
        return Answers(self.names, self.values[rows])


def names_of(manifest: Manifest) -> tuple[str, ...]:
    """The outputs of a bundle's answers."""
    if manifest.classes:
        return (*(PROBABILITY + name for name in manifest.classes), CONFIDENCE)
    return ("prediction", "lower", "upper", WIDTH)


def from_outputs(outputs: Mapping[str, npt.NDArray[Any]], manifest: Manifest) -> Answers:
    """What `Predictor.predict` gave."""
    if manifest.classes:
        return _completed(manifest, np.asarray(outputs["probabilities"], dtype=np.float64))
    return _completed(manifest, np.column_stack([outputs[name] for name in ("prediction", "lower", "upper")]))


def from_frame(frame: pd.DataFrame, manifest: Manifest) -> Answers:
    """The prediction columns of reference.parquet or held_out.parquet.

    Raises:
        KeyError: a column is missing.
    """
    return _completed(manifest, frame[list(names_of(manifest)[:-1])].to_numpy(dtype=np.float64))


def from_captured(predictions: Sequence[Mapping[str, Any]], manifest: Manifest) -> Answers:
    """Predictions as the server told them; what is not a finite number there is NaN here."""
    if manifest.classes:
        told = [prediction.get("probabilities") for prediction in predictions]
        rows = [[_number(row, name) for name in manifest.classes] for row in told]
    else:
        rows = [[_number(row, name) for name in ("prediction", "lower", "upper")] for row in predictions]
    width = len(manifest.classes) or 3
    return _completed(manifest, np.array(rows, dtype=np.float64).reshape(len(rows), width))


def _completed(manifest: Manifest, told: Values) -> Answers:
    """With the output that follows from the others."""
    told = np.where(np.isfinite(told), told, np.nan).astype(np.float64)
    last = told.max(axis=1) if manifest.classes else told[:, 2] - told[:, 1]
    return Answers(names_of(manifest), np.column_stack([told, last]))


def _number(row: object, name: str) -> float:
    value = row.get(name) if isinstance(row, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
