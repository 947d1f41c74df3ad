"""Reads the table that a newcomer brings, and writes its cleaned copy as the rest of Mainline reads it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pandas as pd

from models.errors import ConfigError

SEPARATORS = (",", ";", "\t", "|")


def read_source(path: Path) -> pd.DataFrame:
    """All rows; a CSV's values as text, so that nothing is guessed before every spelling was seen.

    Raises:
        ConfigError: not a .csv or .parquet file, not readable, no rows, or a column name that stands twice.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise ConfigError([f"{path}: got the ending {path.suffix!r}, must be .csv or .parquet"])
    try:
        frame = _read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except UnicodeDecodeError as err:
        raise ConfigError([f"{path}: got bytes that are no UTF-8 at {err.start}, save the file as UTF-8"]) from err
    except (OSError, ValueError, csv.Error) as err:  # pandas' and pyarrow's parse errors are ValueErrors
        raise ConfigError([f"{path}: cannot be read: {str(err).strip()}"]) from err
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(drop=True)
    twice = [name for name, count in Counter(frame.columns).items() if count > 1]
    if twice:
        raise ConfigError(
            [f"{path}: column {name!r}: stands twice, each column needs a name of its own" for name in twice]
        )
    if frame.empty:
        raise ConfigError([f"{path}: got a table without rows, must hold at least a header and the rows below it"])
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    """A CSV by the separator that splits its header into the most columns."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
    separator = max(SEPARATORS, key=lambda each: len(next(csv.reader([first], delimiter=each), [])))
    header = next(csv.reader([first.rstrip("\r\n")], delimiter=separator), [])
    if not header:
        raise ValueError("the file has no header")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream, delimiter=separator))[1:]
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(header):
            raise ValueError(
                f"row {number} has {len(row)} fields, the header {len(header)}; quote fields that hold {separator!r}"
            )
    return pd.DataFrame([row for row in rows if row], columns=pd.Index(header), dtype=object)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """The cleaned copy; an empty field is the only spelling of a missing value."""
    if path.suffix == ".csv":
        table.to_csv(path, index=False, lineterminator="\n")
    else:
        table.to_parquet(path, index=False)
