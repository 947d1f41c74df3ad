"""The predictions of one file, batch by batch: read, checked, predicted and written in bounded memory."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from models.predictor import Predictor
from pipelines.batch.claim import Claim, claim
from pipelines.batch.order import FileRefused, Layout, Order, Refusal, kept_columns
from pipelines.batch.output import Writer, output_batch, output_schema
from pipelines.batch.place import Place, hash_of
from pipelines.batch.receipt import FORMAT, Receipt, output_name, refused_name
from pipelines.batch.refused import RefusedRows
from pipelines.batch.scoring import score, told
from pipelines.batch.table import Table, open_table, readable, reason, values

_PROGRESS_SECONDS = 10.0


@dataclass
class Work:
    """One file at hand; `rows`, `refused_rows` and `warnings` count on the way.

    Attributes:
        path: the file of rows on this machine.
        name: its name in the input.
        sha256: of its bytes.
        source: URI of the folder that the name counts from.
    """

    path: Path
    name: str
    sha256: str
    source: str
    output: Place
    order: Order
    predictor: Predictor
    say: Callable[[str], None]
    rows: int = 0
    refused_rows: int = 0
    warnings: int = 0

    def run(self) -> Receipt:
        """Writes the predictions, and what was refused; the receipt is the caller's to write.

        Raises:
            FileRefused: nothing was written.
        """
        began = time.monotonic()
        order, manifest = self.order, self.predictor.bundle.manifest
        table = open_table(self.path, self.name, manifest.inputs)
        keep = kept_columns(order.keep, table.names, manifest, self.name)
        schema = self._schema(table, keep)
        made = output_name(self.name, order.layout)
        with ExitStack() as published:
            path = published.enter_context(self.output.writing(made))
            refused = RefusedRows(self.output, self.name, published, features=manifest.inputs, keep=keep)
            with _writable(self.name, order.layout), Writer(path, order.layout, schema, self._about()) as writer:
                self._batches(table, keep, schema, writer, refused)
                writer.note({"mainline.rows": str(self.rows), "mainline.refused_rows": str(self.refused_rows)})
            output_sha256, output_bytes, refused_sha256 = hash_of(path), path.stat().st_size, refused.end()
            claim(self.output, made, Claim(self.source, self.name))
        return Receipt(
            format=FORMAT,
            model=order.model,
            version=order.version,
            digest=order.digest,
            input=self.name,
            input_sha256=self.sha256,
            input_bytes=self.path.stat().st_size,
            keep=order.keep,
            output=made,
            output_sha256=output_sha256,
            output_bytes=output_bytes,
            refused=refused_name(self.name) if refused_sha256 else "",
            refused_sha256=refused_sha256,
            rows=self.rows,
            refused_rows=self.refused_rows,
            warnings=self.warnings,
            seconds=round(time.monotonic() - began, 3),
            finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )

    def _schema(self, table: Table, keep: list[str]) -> pa.Schema:
        schema = output_schema(self.predictor.bundle.manifest, [table.schema.field(name) for name in keep])
        nested = [field.name for field in schema if pa.types.is_nested(field.type)]
        if nested and self.order.layout is Layout.CSV:
            raise FileRefused(
                f"{self.name}: keep: {nested[0]}: lists and structures do not fit into a CSV; use Parquet"
            )
        return schema

    def _about(self) -> dict[str, str]:
        return {
            "mainline.model": self.order.model,
            "mainline.version": self.order.version,
            "mainline.digest": self.order.digest,
            "mainline.input": self.name,
            "mainline.input_sha256": self.sha256,
        }

    def _batches(self, table: Table, keep: list[str], schema: pa.Schema, writer: Writer, refused: RefusedRows) -> None:
        manifest = self.predictor.bundle.manifest
        texts, spoken = self.path.suffix == ".csv", time.monotonic()
        for batch in table.batches(manifest.inputs, keep):
            with readable(self.name):
                columns = values(batch, manifest.inputs, texts=texts)
            scored = score(self.predictor, columns)
            if scored.refused:
                if self.order.refusal is Refusal.FAIL:
                    first = told(self.name, scored.refused, self.rows)
                    raise FileRefused(f"{self.name}: rows are refused; mend them, or ask to set them aside:\n{first}")
                refused.add(scored.refused, batch, first=self.rows)
            writer.add(output_batch(schema, manifest, batch, scored, first=self.rows))
            self.rows += batch.num_rows
            self.refused_rows += batch.num_rows - len(scored.rows)
            self.warnings += scored.n_warnings
            if time.monotonic() - spoken > _PROGRESS_SECONDS:
                spoken = time.monotonic()
                self.say(f"{self.name}: {self.rows:,} rows so far")


@contextmanager
def _writable(name: str, layout: Layout) -> Iterator[None]:
    """A kept column that the layout cannot hold, as bytes in a CSV, is the file's refusal."""
    try:
        yield
    except pa.ArrowException as err:
        if isinstance(err, MemoryError):
            raise
        raise FileRefused(
            f"{name}: cannot be written as {layout} ({reason(err)}); keep other columns, or use another layout"
        ) from err
