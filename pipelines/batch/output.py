"""The files of predictions: their columns, how they are written, and what they say of where they come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from models.manifest import Manifest
from pipelines.batch.order import ROW, Layout, answered
from pipelines.batch.scoring import Scored

# Rows of a row group: large enough that its dictionaries and statistics pay, small enough to hold in memory.
_GROUP_ROWS = 2**17


def output_schema(manifest: Manifest, kept: Sequence[pa.Field]) -> pa.Schema:
    """`row`, the index of the row in its file; the kept columns; the answer's, as in a bundle's reference window."""
    answers = [
        pa.field(name, pa.string() if manifest.classes and name == "prediction" else pa.float32())
        for name in answered(manifest)
    ]
    return pa.schema([pa.field(ROW, pa.int64(), nullable=False), *map(_plain, kept), *answers])


def output_batch(
    schema: pa.Schema, manifest: Manifest, batch: pa.RecordBatch, scored: Scored, *, first: int
) -> pa.RecordBatch:
    """The good rows of a batch, whose own first row is the file's row `first`."""
    kept = schema.names[1 : len(schema.names) - len(answered(manifest))]
    columns = [pa.array(scored.rows + first)]
    for name in kept:
        column = batch.column(name)
        column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        columns.append(column if len(scored.rows) == batch.num_rows else column.take(pa.array(scored.rows)))
    if manifest.classes:
        found = scored.outputs["probabilities"]
        best = pa.array(found.argmax(axis=1).astype(np.int32))
        names = pa.array(manifest.classes, pa.string())
        columns.append(pa.DictionaryArray.from_arrays(best, names).dictionary_decode())
        columns += [pa.array(np.ascontiguousarray(found[:, index])) for index in range(len(manifest.classes))]
    else:
        columns += [pa.array(scored.outputs[name]) for name in answered(manifest)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class Writer:
    """Writes one file of predictions; the same batches give the same bytes."""

    def __init__(self, path: Path, layout: Layout, schema: pa.Schema, about: Mapping[str, str]) -> None:
        """Begin the file.

        Args:
            about: what a Parquet file says in its metadata.
        """
        self._waiting: list[pa.RecordBatch] = []
        self._n_waiting = 0
        self._schema = schema.with_metadata(dict(about))
        self._parquet = layout is Layout.PARQUET
        if self._parquet:
            self._file = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        else:
            self._file = pyarrow.csv.CSVWriter(path, schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._file.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """The next rows."""
        self._waiting.append(batch)
        self._n_waiting += batch.num_rows
        if self._n_waiting >= _GROUP_ROWS:
            self._flush()

    def note(self, about: Mapping[str, str]) -> None:
        """What is known only at the end, for a Parquet file's metadata."""
        if self._parquet:
            self._file.add_key_value_metadata(dict(about))

    def _flush(self) -> None:
        if self._waiting:
            rows = pa.Table.from_batches(self._waiting)
            self._file.write_table(rows, row_group_size=_GROUP_ROWS) if self._parquet else self._file.write_table(rows)
        self._waiting, self._n_waiting = [], 0


def _plain(field: pa.Field) -> pa.Field:
    """A kept column as it is, without a dictionary: every batch may have its own."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return pa.field(field.name, kind, nullable=field.nullable)
