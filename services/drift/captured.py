"""Rows of named values as samples, encoded as a bundle declares them; rows that it refuses are left out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.feature import Feature
from models.findings import Matrix
from models.rows import RowsRefused, decode, encode
from services.drift.sample import Sample

Rows = Sequence[Mapping[str, Any]]
Indexes = npt.NDArray[np.intp]


def visible(features: tuple[Feature, ...], masked: Sequence[str]) -> tuple[Feature, ...]:
    """The features whose values are captured."""
    return tuple(feature for feature in features if feature.name not in masked) if masked else features


def encoded(rows: Rows, features: tuple[Feature, ...]) -> tuple[Sample, Indexes]:
    """The rows that `features` accept, and which they are; what a row has beside them is not looked at."""
    names = [feature.name for feature in features]
    wanted = set(names)
    held = [number for number, row in enumerate(rows) if wanted <= row.keys()]
    plain = [_only(rows[number], names) for number in held]
    matrices: list[Matrix] = []
    kept: list[int] = []
    _encode(plain, features, 0, matrices, kept)
    matrix = np.concatenate(matrices) if matrices else np.empty((0, len(features)), dtype=np.float32)
    return Sample(features, matrix), np.array([held[number] for number in kept], dtype=np.intp)


def recoded(sample: Sample, features: tuple[Feature, ...]) -> tuple[Sample, Indexes]:
    """Rows of one bundle as another one declares them, and which of them it accepts."""
    if sample.features == features:
        return sample, np.arange(len(sample))
    return encoded(decode(sample.matrix, sample.features), features)


def _only(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return row if type(row) is dict and len(row) == len(names) else {name: row[name] for name in names}


def _encode(
    rows: list[dict[str, Any]], features: tuple[Feature, ...], first: int, matrices: list[Matrix], kept: list[int]
) -> None:
    """Halves what is refused until single rows are left out: a few odd rows cost a few halvings."""
    if not rows:
        return
    try:
        matrices.append(encode(rows, features).matrix)
    except RowsRefused:
        if len(rows) > 1:
            half = len(rows) // 2
            _encode(rows[:half], features, first, matrices, kept)
            _encode(rows[half:], features, first + half, matrices, kept)
    else:
        kept.extend(range(first, first + len(rows)))
