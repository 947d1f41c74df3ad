"""Rows of a window or of a reference, with the features that their columns are: what the decisions compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.feature import Feature
from models.findings import Matrix

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """(n, n_features) float32, encoded by `models.rows` as `features` declare; columns in their order."""

    features: tuple[Feature, ...]
    matrix: Matrix

    def __len__(self) -> int:
        return len(self.matrix)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def distinct(self) -> "Sample":
        """Each row once, in the order of first occurrence: the same 30 rows replayed are 30 samples."""
        return Sample(self.features, self.matrix[first_of_each(self.matrix)])

    def column(self, like: Feature) -> Values:
        """The values of the feature named as `like`, a category's with the codes that `like` gives them.

        A category that `like` does not list gets a code above that of a missing one.
        """
        index = self.names.index(like.name)
        values = self.matrix[:, index].astype(np.float64)
        own = self.features[index]
        if like.dtype != "category":
            return values
        code = (values >= 0) & (values < len(own.categories))
        codes = np.where(code, values, len(own.categories))  # what is no code is missing
        if own.categories == like.categories:
            return codes
        known = {category: code for code, category in enumerate(like.categories)}
        strangers = (category for category in own.categories if category not in known)
        known |= {category: len(like.categories) + 1 + number for number, category in enumerate(strangers)}
        theirs = np.array([*(known[category] for category in own.categories), len(like.categories)], dtype=np.float64)
        return theirs[np.clip(codes, 0, len(theirs) - 1).astype(np.intp)]

    def only(self, names: Sequence[str]) -> "Sample":
        """The columns `names`, in that order."""
        where = [self.names.index(name) for name in names]
        return Sample(tuple(self.features[index] for index in where), self.matrix[:, where])


def first_of_each(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Indexes, ascending, of the first of each row; a missing value equals a missing one."""
    if matrix.shape[0] == 0 or matrix.shape[1] == 0:
        return np.arange(min(matrix.shape[0], 1))
    return np.sort(np.unique(_keys(matrix), return_index=True)[1])


def alike(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """(n,) numbers from 0: the same for equal rows."""
    if matrix.shape[0] == 0 or matrix.shape[1] == 0:
        return np.zeros(matrix.shape[0], dtype=np.intp)
    return np.unique(_keys(matrix), return_inverse=True)[1].astype(np.intp)


def _keys(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.void]:
    """(n,) the bytes of each row."""
    plain = np.ascontiguousarray(np.where(np.isnan(matrix), np.float32(np.nan), matrix + np.float32(0)))
    return plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).ravel()
