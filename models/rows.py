"""Rows against the spec: from named values outside to the one float32 matrix that the graph takes, and back.

Serving, batch prediction, training and evaluation all encode here. Missing numbers and dates are null outside and NaN
inside; a category is its index, or the number of categories where it is missing; a date is what its encoding says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from models.cells import Column, Odd, Refused, compile_column, decode_date, plain, shortest
from models.declaration import did_you_mean
from models.feature import Feature
from models.findings import MAX_PROBLEMS, Encoded, Findings, Matrix, RowProblem, RowsRefused, Sifted
from models.limits import Limits

__all__ = [
    "Coded", "Encoded", "Matrix", "RowProblem", "RowsRefused", "Sifted", "decode", "encode", "encode_columns",
    "encode_matrix", "sift_columns",
]  # fmt: skip

_FEW_ROWS = 64  # up to here, going cell by cell beats building columns (measured with 30 features)


@dataclass(frozen=True)
class Coded:
    """A column of few distinct values, looked at once each: row i has `distinct[codes[i]]`."""

    codes: npt.NDArray[np.integer[Any]]
    distinct: Sequence[Any]

    def __len__(self) -> int:
        return len(self.codes)


def encode(rows: Sequence[Mapping[str, object]], features: Sequence[Feature]) -> Encoded:
    """Rows of named values, as JSON has them, as the graph's input.

    Args:
        rows: each with every feature, none other; null where a value is missing.
        features: in the order of the graph's columns. The same tuple each time spares compiling the rules anew.

    Returns:
        (n_rows, n_features) float32, and warnings for values that the spec tolerates.

    Raises:
        RowsRefused: with every problem of every row.
    """
    columns = _compiled(features)
    if len(rows) > _FEW_ROWS and set(map(type, rows)) == {dict} and set(map(len, rows)) == {len(columns)}:
        names = [column.feature.name for column in columns]
        # itemgetter and zip turn rows into columns in C; of one name alone, itemgetter would give no tuple
        picked = map(itemgetter(*names), rows) if len(names) > 1 else ((row[names[0]],) for row in rows)
        try:
            values = list(zip(*picked, strict=True))
        except KeyError:  # some row lacks a feature: row by row tells which
            pass
        else:
            return _encode_lists(values, columns, len(rows))
    return _encode_rows(rows, columns)


def encode_columns(columns: Mapping[str, Any], features: Sequence[Feature]) -> Encoded:
    """A table's columns as the graph's input, under the rules of `encode`.

    Args:
        columns: sequences, arrays, Series or `Coded` of equal length. NaN, NaT and NA mean missing. Columns that are no
            feature are not looked at, so that a whole table can be handed over.
        features: in the order of the graph's columns.

    Raises:
        RowsRefused: with every problem; `row` is None for a column that is not there.
    """
    findings = Findings()
    return findings.encoded(_encode_columns(columns, features, findings))


def sift_columns(columns: Mapping[str, Any], features: Sequence[Feature]) -> Sifted:
    """As `encode_columns`, but rows that are refused are told apart instead of refusing all: for batch prediction."""
    findings = Findings()
    return findings.sifted(_encode_columns(columns, features, findings))


def encode_matrix(values: npt.NDArray[Any], features: Sequence[Feature]) -> Encoded:
    """An array of numbers as the graph's input, under the rules of `encode`; a hundred times its speed on many rows.

    Args:
        values: (n_rows, n_features) of integers or floats. NaN means missing. The result may share its memory.
        features: numbers all, in the order of the columns.

    Raises:
        RowsRefused: with every problem.
        ValueError: another number of columns, or a feature that is no number.
    """
    compiled, limits = _compiled(features), _limits(features)
    if values.ndim != 2 or values.shape[1] != len(compiled):
        raise ValueError(f"values are {values.shape}, must be (n_rows, {len(compiled)})")
    findings = Findings()
    refused, odd = limits.wrong(values)
    for cells in (refused, odd):
        for row, index in cells[:MAX_PROBLEMS].tolist():
            findings.ask(compiled[index], row, _scalar(values[row, index]))
    findings.more(refused=len(refused[MAX_PROBLEMS:]), odd=len(odd[MAX_PROBLEMS:]))
    with np.errstate(over="ignore", invalid="ignore"):  # a number beyond float32 is among the refused ones
        return findings.encoded(values.astype(np.float32, copy=False))


def decode(matrix: npt.NDArray[Any], features: Sequence[Feature]) -> list[dict[str, Any]]:
    """The rows that encode to `matrix`, (n_rows, n_features): null for missing, strings for categories and dates."""
    columns = [_decode_column(matrix[:, index], feature) for index, feature in enumerate(features)]
    names = [feature.name for feature in features]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _encode_columns(columns: Mapping[str, Any], features: Sequence[Feature], findings: Findings) -> Matrix:
    compiled = _compiled(features)
    names = [feature.name for feature in features]
    for name in names:
        if name not in columns:
            near = did_you_mean(name, [other for other in columns if other not in names])
            findings.refuse(RowProblem(None, name, None, "the column is missing", near or "add the column"))
    lengths = {len(columns[name]) for name in names if name in columns}
    if len(lengths) > 1:
        raise ValueError(f"columns have lengths {sorted(lengths)}, must all be the same")
    matrix = np.empty((lengths.pop() if lengths else 0, len(names)), dtype=np.float32)
    for index, column in enumerate(compiled):
        if column.feature.name in columns:
            with np.errstate(invalid="ignore"):  # a NaN whose bits signal
                matrix[:, index] = _encode_column(columns[column.feature.name], column, findings)
    return matrix


def _encode_rows(rows: Sequence[Mapping[str, object]], columns: tuple[Column, ...]) -> Encoded:
    findings = Findings()
    cells = [(column.feature.name, column.cell) for column in columns]
    numbers: list[list[float]] = []
    for index, row in enumerate(rows):
        if type(row) is dict and len(row) == len(cells):
            try:
                numbers.append([cell(row[name]) for name, cell in cells])
                continue
            except (KeyError, Refused, Odd):  # told in full below
                pass
        numbers.append(_encode_row(row, index, columns, findings))
    return findings.encoded(np.array(numbers, dtype=np.float32).reshape(len(rows), len(cells)))


def _encode_row(row: object, index: int, columns: tuple[Column, ...], findings: Findings) -> list[float]:
    if not isinstance(row, Mapping):
        findings.refuse(RowProblem(index, "-", row, "must be an object of named features", "name each value"))
        return [np.nan] * len(columns)
    names = [column.feature.name for column in columns]
    unknown = [name for name in row if name not in names]
    for name in unknown:
        near = did_you_mean(str(name), [known for known in names if known not in row])
        findings.refuse(RowProblem(index, str(name), row[name], "unknown feature", near or "leave it out"))
    numbers = []
    for column, name in zip(columns, names, strict=True):
        if name in row:
            numbers.append(findings.ask(column, index, row[name]))
        else:
            remedy = "send null if it has no value" if column.feature.missing == "allow" else "send it"
            findings.refuse(RowProblem(index, name, None, "the feature is missing", remedy))
            numbers.append(np.nan)
    return numbers


def _encode_lists(values: Sequence[Sequence[Any]], columns: tuple[Column, ...], n_rows: int) -> Encoded:
    findings = Findings()
    matrix = np.empty((n_rows, len(columns)), dtype=np.float32)
    for index, (column, given) in enumerate(zip(columns, values, strict=True)):
        matrix[:, index] = _encode_list(given, column, findings)
    return findings.encoded(matrix)


def _encode_list(values: Sequence[Any], column: Column, findings: Findings) -> npt.NDArray[np.float64]:
    numbers = column.fast(values)
    for row in np.flatnonzero(np.isnan(numbers)).tolist():
        numbers[row] = findings.ask(column, row, values[row])
    return numbers


def _encode_column(values: Any, column: Column, findings: Findings) -> npt.NDArray[np.float64]:
    if isinstance(values, Coded):
        distinct = [plain(value) for value in values.distinct]
        numbers: npt.NDArray[np.float64] = column.fast(distinct)[values.codes]
        for row in np.flatnonzero(np.isnan(numbers)).tolist():
            numbers[row] = findings.ask(column, row, distinct[values.codes[row]])
        return numbers
    values = values.to_numpy() if hasattr(values, "to_numpy") else values
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf" and column.feature.dtype in ("float", "integer"):
        numbers, asked = column.encode_array(values)
        for row in np.flatnonzero(asked).tolist():
            numbers[row] = findings.ask(column, row, plain(values[row]))
        return numbers
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":  # nanoseconds would become bare integers
        values = values.astype("datetime64[us]")
    return _encode_list([plain(value) for value in values], column, findings)


def _decode_column(numbers: npt.NDArray[Any], feature: Feature) -> Iterable[Any]:
    if feature.dtype == "category":
        return [feature.categories[int(n)] if n < len(feature.categories) else None for n in numbers]
    if feature.dtype == "integer":
        return [None if np.isnan(n) else int(n) for n in numbers]
    if feature.dtype == "date":
        return [None if np.isnan(n) else decode_date(float(n), feature.encoding or "days") for n in numbers]
    return [None if np.isnan(n) else shortest(n) for n in numbers]


def _scalar(value: Any) -> Any:
    """One number of an array as a caller would write it."""
    return shortest(value) if value.dtype == np.float32 and np.isfinite(value) else plain(value)


_recent: list[tuple[Sequence[Feature], tuple[Column, ...]]] = []
_recent_limits: list[tuple[tuple[Column, ...], Limits]] = []


def _compiled(features: Sequence[Feature]) -> tuple[Column, ...]:
    """The rules of `features`; a tuple's are remembered by identity: hashing them costs more than a row."""
    for known, columns in _recent:
        if known is features:
            return columns
    columns = tuple(compile_column(feature) for feature in features)
    if isinstance(features, tuple):
        _recent.insert(0, (features, columns))
        del _recent[8:]  # a process has one model, tests a few
    return columns


def _limits(features: Sequence[Feature]) -> Limits:
    """The same rules for whole arrays, remembered alike."""
    columns = _compiled(features)
    for known, limits in _recent_limits:
        if known is columns:
            return limits
    limits = Limits.of(columns)
    _recent_limits.insert(0, (columns, limits))
    del _recent_limits[8:]
    return limits
