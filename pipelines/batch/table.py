"""A file of rows, Parquet or CSV, in batches of bounded size, with its columns as `models.rows` takes them.

A CSV has nothing but texts: an empty field is a missing value, a feature that is a number is read as one where its
text is one, and the text itself stays where it is not, so that the row alone is refused. Kept columns stay texts.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from models.declaration import did_you_mean
from models.feature import Feature
from models.rows import Coded
from pipelines.batch.order import FileRefused

ENDINGS = (".parquet", ".csv")
# Rows times features of a batch: some 10 MB while it is worked on, and 100 MB where every value is refused.
_CELLS = 2**19
_CSV_BLOCK_BYTES = 2**20
# Of each column of a Parquet file, whose row groups may be as large as the file.
_BUFFER_BYTES = 2**18
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[nN][aA][nN]$"


@dataclass(frozen=True)
class Table:
    """A file whose columns are known.

    Attributes:
        path: where it lies on this machine; its ending tells what it is.
        name: what to call it when it is refused.
        names: of its columns, in order.
        schema: their types; all text for a CSV.
    """

    path: Path
    name: str
    names: tuple[str, ...]
    schema: pa.Schema

    def batches(self, features: Sequence[Feature], keep: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, in order, with the columns of features and those that are kept.

        Raises:
            FileRefused: it cannot be read to its end.
        """
        columns = list(dict.fromkeys([*(feature.name for feature in features), *keep]))
        most = max(1, _CELLS // len(features))
        with readable(self.name):
            for batch in self._read(columns, most):
                for start in range(0, batch.num_rows, most):
                    yield batch.slice(start, most)

    def _read(self, columns: list[str], most: int) -> Iterator[pa.RecordBatch]:
        if self.path.suffix == ".parquet":
            with pyarrow.parquet.ParquetFile(self.path, buffer_size=_BUFFER_BYTES) as file:
                for batch in file.iter_batches(batch_size=most, columns=columns, use_threads=False):
                    batch.validate(full=True)  # texts are read as they stand, UTF-8 or not
                    yield batch
        else:
            convert = _texts(columns)
            convert.include_columns = columns
            with _csv(self.path, convert) as reader:
                yield from reader


def open_table(path: Path, name: str, features: Sequence[Feature]) -> Table:
    """The file, once it is known to have every feature.

    Raises:
        FileRefused: it is no such file, or columns are missing or stand twice.
    """
    with readable(name):
        if path.suffix == ".parquet":
            schema = pyarrow.parquet.read_schema(path)
        else:
            with _csv(path, pyarrow.csv.ConvertOptions()) as reader:
                schema = pa.schema([(each, pa.string()) for each in reader.schema.names])
        names = tuple(schema.names)
    wanted = [feature.name for feature in features]
    strangers = [each for each in names if each not in wanted]
    problems = []
    for feature in wanted:
        if feature not in names:
            near = did_you_mean(feature, strangers)
            problems.append(f"{name}: {feature}: the column is missing, {near or 'add the column'}")
    problems += [f"{name}: {each}: the column stands twice, rename one" for each in _twice(names)]
    if problems:
        raise FileRefused("\n".join(problems))
    return Table(path, name, names, schema)


def values(batch: pa.RecordBatch, features: Sequence[Feature], *, texts: bool) -> dict[str, Any]:
    """Columns as `models.rows` takes them.

    Args:
        texts: whether the batch is a CSV's.
    """
    return {
        feature.name: _values(batch.column(feature.name), number=feature.dtype in ("float", "integer"), texts=texts)
        for feature in features
    }


def _values(column: pa.Array, *, number: bool, texts: bool) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if number and texts:
        return _parsed(column)
    if number and pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if number and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return column.to_numpy(zero_copy_only=False)  # NaN for null
    if pa.types.is_date(column.type):
        column = column.cast(pa.date32()).cast(pa.string())
    if not number and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        found = column.dictionary_encode(null_encoding="encode")
        return Coded(found.indices.to_numpy(), found.dictionary.to_pylist())
    return column.to_pylist()


def _parsed(column: pa.Array) -> Any:
    """Numbers of texts: an array with NaN for null, or a list that holds the texts that are none as they stand."""
    column = pc.utf8_trim_whitespace(column)
    try:
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        right = pc.match_substring_regex(column, _NUMBER)
        numbers = pc.if_else(right, column, None).cast(pa.float64()).to_pylist()
        return [text if number is None else number for number, text in zip(numbers, column.to_pylist(), strict=True)]


def _csv(path: Path, convert: pyarrow.csv.ConvertOptions) -> pyarrow.csv.CSVStreamingReader:
    return pyarrow.csv.open_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=convert,
    )


def _texts(columns: Sequence[str]) -> pyarrow.csv.ConvertOptions:
    return pyarrow.csv.ConvertOptions(
        column_types={name: pa.string() for name in columns}, strings_can_be_null=True, null_values=[""]
    )


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


@contextmanager
def readable(name: str) -> Iterator[None]:
    """What fails in it, of a file's rows, becomes that file's refusal.

    Raises:
        FileRefused: with the reason, without anything that stands in the file.
    """
    try:
        yield
    except (pa.ArrowException, ValueError, OverflowError, OSError) as err:
        if isinstance(err, MemoryError):  # as Arrow's is, and it says nothing of the file
            raise
        raise FileRefused(f"{name}: cannot be read ({reason(err)}); write it again as Parquet or as UTF-8 CSV") from err


def reason(err: Exception) -> str:
    """What an error says, without values: Arrow repeats a row with too many fields, and quotes what it cannot parse."""
    if not isinstance(err, pa.ArrowException | OSError):
        return f"{type(err).__name__} for one of its values"
    said = (isinstance(err, OSError) and err.strerror) or str(err)
    said = re.sub(r"(Expected \d+ columns, got \d+):.*", r"\1", said, flags=re.DOTALL)
    said = re.sub(r"'.*'", "'...'", said, flags=re.DOTALL)
    return (said.splitlines() or [type(err).__name__])[0][:300]
