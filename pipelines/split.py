"""Which rows are held out: decided by a stable hash of a row's key, so that more data moves no old row across."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

HELD_OUT = "held-out"
CALIBRATION = "calibration"  # another salt: which training rows calibrate must not follow from the split


def held_out_mask(table: pd.DataFrame, columns: Sequence[str], share: float, *, salt: str = HELD_OUT) -> np.ndarray:
    """True for the rows whose hash falls below `share`.

    Args:
        table: (n, any) rows as the data file has them.
        columns: columns whose values make the key of a row; rows of equal keys are on one side.
        share: in (0, 1); the expected share, which few rows meet only roughly.
        salt: independent decisions over the same rows take different salts.

    Returns:
        (n,) bool.
    """
    keys = row_keys(table, columns)
    limit = int(share * 2**64)
    return np.array([_place(key, salt) < limit for key in keys], dtype=bool)


def row_keys(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """One text for each row, equal where all columns are; 1 and 1.0 are equal, and so are all kinds of missing."""
    texts = [[_text(value) for value in table[column].tolist()] for column in columns]
    return ["\x1f".join(parts) for parts in zip(*texts, strict=True)]


def _place(key: str, salt: str) -> int:
    digest = hashlib.blake2b(key.encode(), digest_size=8, person=salt.encode()[:16]).digest()
    return int.from_bytes(digest, "big")


def _text(value: object) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return "\x00"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if value == value.normalize() else value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)
