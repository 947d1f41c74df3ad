"""The names of many rows' classes as bytes. Called by `responses`.

Several rows are looked up at once, in a table of all that they can be together: of two classes, 4,096 names take 14 us
instead of 58.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

# Of a table. More rows at once would gain little, and a larger table would not stay in the processor's cache.
_MOST_ENTRIES = 256
_MOST_AT_ONCE = 8


class Names:
    """What stands for each of some classes, to be joined row by row."""

    def __init__(self, names: Sequence[bytes], between: bytes) -> None:
        self._between = between
        self._at_once = 1
        while self._at_once < _MOST_AT_ONCE and len(names) ** (self._at_once + 1) <= _MOST_ENTRIES:
            self._at_once += 1
        together = product(names, repeat=self._at_once)
        self._several = np.array([between.join(each) for each in together], dtype=object)
        self._one = np.array(names, dtype=object)
        self._weights = len(names) ** np.arange(self._at_once)[::-1]

    def joined(self, classes: npt.NDArray[np.integer[Any]]) -> bytes:
        """The names of rows whose classes have these indexes, (n_rows,)."""
        n_several = len(classes) - len(classes) % self._at_once
        codes = classes[:n_several].reshape(-1, self._at_once) @ self._weights
        return self._between.join([*self._several[codes].tolist(), *self._one[classes[n_several:]].tolist()])


@lru_cache(maxsize=16)
def binary(classes: tuple[str, ...]) -> Names:
    """As elements of a BYTES tensor: each its length in 4 bytes, then UTF-8."""
    encoded = [name.encode() for name in classes]
    return Names([len(name).to_bytes(4, "little") + name for name in encoded], b"")


@lru_cache(maxsize=16)
def json(classes: tuple[str, ...]) -> Names:
    """As elements of a list in JSON."""
    return Names([orjson.dumps(name) for name in classes], b",")
