"""A number for each of the latest rows, by request id and place: what was answered, or what was told to be true.

A table of fixed size, allocated once: a row has one slot, and takes it from whoever had it before. So remembering costs
under a microsecond, nothing grows with the requests, and nothing is ever searched or thrown out. After as many others
as there are slots a row is still known with a probability of 37 %, after a tenth of them with 90 %. Used by `feedback`.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# From the key of a row to the next one's. Its low bits are those of 1: the rows of a request lie side by side, and
# thousands are kept by three copies (for 4,096 rows 12 us; spread over the table, with a cache miss each, 120 us).
_STEP = 0x9E3779B97F400001
_MOST_SLOTS = 2**22
_ALL = 2**64 - 1


@dataclass(frozen=True)
class Known:
    """What is remembered of a row: its number, and how many rows its request had."""

    value: float
    n_rows: int


class Recall:
    """The table. Ids are kept as 64-bit hashes with a secret of the process: 2^18 of them are mixed up once in 10^8."""

    def __init__(self, n_slots: int) -> None:
        """`n_slots` is a power of two, at most 2^22; each takes 20 bytes."""
        if n_slots & (n_slots - 1) or n_slots > _MOST_SLOTS:
            raise ValueError(f"n_slots is {n_slots}, must be a power of two, at most {_MOST_SLOTS}")
        self._mask = n_slots - 1
        self._keys = array("Q", [0]) * n_slots
        self._values = array("d", [0]) * n_slots
        self._n_rows = array("i", [0]) * n_slots  # 0: the slot is free

    def remember(self, request_id: str, values: Sequence[float] | npt.NDArray[Any]) -> None:
        """Keeps a number for each row of a request."""
        if len(values) == 1:
            self.put(request_id, 0, values[0])
            return
        start = 0
        while start < len(values):  # as far as the table's end, then from its beginning
            slot = key_of(request_id, start) & self._mask
            end = min(len(values), start + self._mask + 1 - slot)
            self._put_run(request_id, values, start, end)
            start = end

    def remember_each(self, request_ids: Sequence[str], values: Sequence[float] | npt.NDArray[Any]) -> None:
        """Keeps a number for each of several requests of one row: for 32 of them in half the time of one by one."""
        keys = np.fromiter(map(hash, request_ids), dtype=np.int64, count=len(request_ids)).view(np.uint64)
        slots = keys & np.uint64(self._mask)
        np.frombuffer(self._keys, dtype=np.uint64)[slots] = keys
        np.frombuffer(self._values)[slots] = values
        np.frombuffer(self._n_rows, dtype=np.int32)[slots] = 1

    def put(self, request_id: str, row: int, value: float) -> None:
        """Keeps a number for one row, of a request that had no other or of which no more is known."""
        key = key_of(request_id, row)
        slot = key & self._mask
        self._keys[slot] = key
        self._values[slot] = value
        self._n_rows[slot] = 1

    def find(self, request_id: str, row: int) -> Known | None:
        """What is remembered of a row; None where nothing is, or no more."""
        key = key_of(request_id, row)
        slot = key & self._mask
        if self._keys[slot] != key or not self._n_rows[slot]:
            return None
        return Known(self._values[slot], self._n_rows[slot])

    def _put_run(self, request_id: str, values: Sequence[float] | npt.NDArray[Any], start: int, end: int) -> None:
        """Keeps the rows from `start` to before `end`, whose slots follow each other."""
        first = key_of(request_id, start)
        slots = slice(first & self._mask, (first & self._mask) + end - start)
        keys = np.frombuffer(self._keys, dtype=np.uint64)[slots]
        np.multiply(np.arange(end - start, dtype=np.uint64), np.uint64(_STEP), out=keys)
        keys += np.uint64(first)
        np.frombuffer(self._values)[slots] = values[start:end]
        np.frombuffer(self._n_rows, dtype=np.int32)[slots] = len(values)


def key_of(request_id: str, row: int) -> int:
    """The key of a row, in [0, 2^64)."""
    return (hash(request_id) + row * _STEP) & _ALL
