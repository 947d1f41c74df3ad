"""Predicts files, each once: what is done and verified is skipped, what is not is made whole, its receipt last."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pyarrow as pa

from models.errors import ConfigError
from models.predictor import Predictor
from models.store import fetch
from pipelines.batch.order import FileRefused, Layout, Order, Refusal, kept_columns
from pipelines.batch.output import Writer, output_batch, output_schema
from pipelines.batch.place import Place, hash_of
from pipelines.batch.receipt import FORMAT, Receipt, done, output_name, refused_name, write_receipt
from pipelines.batch.refused import write_refused
from pipelines.batch.scoring import Scored, score, told
from pipelines.batch.table import Table, open_table, values

Say = Callable[[str], None]
_PROGRESS_SECONDS = 10.0


def load(order: Order, scratch: Path) -> Predictor:
    """The bundle of an order, every hash checked, its golden rows predicted.

    Raises:
        ConfigError: it is another model's.
        BundleError, StoreError: it is not that bundle, or cannot be had.
    """
    bundle = fetch(order.bundle, scratch / "bundle", order.digest)
    if bundle.manifest.model != order.model:
        raise ConfigError([f"{order.bundle}: holds model {bundle.manifest.model!r}, asked for is {order.model!r}"])
    predictor = Predictor(bundle)
    predictor.self_test()
    return predictor


def predict_files(
    source: Place, names: Sequence[str], output: Place, *, order: Order, predictor: Predictor, say: Say
) -> list[Receipt]:
    """A receipt for each file, of now or of before.

    Raises:
        FileRefused: some could not be predicted, with the reasons; all others are done.
        StoreError: the store does not answer; what was done until then is skipped the next time.
    """
    receipts, refused = [], []
    for number, name in enumerate(names, start=1):
        try:
            receipt, made = predict_file(source, name, output, order=order, predictor=predictor, say=say)
        except FileRefused as err:
            refused.append(str(err))
            say(f"{number} of {len(names)}: {name}: refused: {str(err).splitlines()[0]}")
            continue
        receipts.append(receipt)
        aside = f", {receipt.refused_rows:,} set aside in {receipt.refused}" if receipt.refused_rows else ""
        took = f"{receipt.seconds:.1f} s, {receipt.rows_per_second:,.0f} rows/s" if made else "done before, verified"
        say(f"{number} of {len(names)}: {name}: {receipt.rows:,} rows{aside}: {took}")
    if refused:
        raise FileRefused("\n".join(refused))
    return receipts


def predict_file(
    source: Place, name: str, output: Place, *, order: Order, predictor: Predictor, say: Say = lambda _: None
) -> tuple[Receipt, bool]:
    """The receipt of one file, and whether it was made now.

    Raises:
        FileRefused: it cannot be read, lacks columns, or has rows that are refused where that fails the file.
    """
    with output.turn(output_name(name, order.layout)):
        with source.local(name) as path:
            sha256 = hash_of(path)
            if (former := done(output, name, sha256, order)) is not None:
                return former, False
            receipt = _Work(path, name, sha256, output, order, predictor, say).run()
        # only here: had the input changed while it was read, leaving it would have raised
        write_receipt(output, receipt)
    return receipt, True


@dataclass
class _Work:
    path: Path
    name: str
    sha256: str
    output: Place
    order: Order
    predictor: Predictor
    say: Say
    rows: int = 0
    refused_rows: int = 0
    warnings: int = 0

    def run(self) -> Receipt:
        began = time.monotonic()
        order, manifest = self.order, self.predictor.bundle.manifest
        table = open_table(self.path, self.name, manifest.inputs)
        keep = kept_columns(order.keep, table.names, manifest, self.name)
        schema = output_schema(manifest, [table.schema.field(each) for each in keep])
        if order.layout is Layout.CSV and any(pa.types.is_nested(field.type) for field in schema):
            raise FileRefused(
                f"{self.name}: keep: a column of lists or structures does not fit into a CSV; use Parquet"
            )
        made = output_name(self.name, order.layout)
        with ExitStack() as stack:
            path = stack.enter_context(self.output.writing(made))
            with Writer(path, order.layout, schema, self._about()) as writer:
                self._batches(table, keep, schema, writer, stack)
                writer.note({"mainline.rows": str(self.rows), "mainline.refused_rows": str(self.refused_rows)})
            output_sha256, output_bytes = hash_of(path), path.stat().st_size
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
            refused=refused_name(self.name) if self.refused_rows else "",
            rows=self.rows,
            refused_rows=self.refused_rows,
            warnings=self.warnings,
            seconds=round(time.monotonic() - began, 3),
            finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )

    def _about(self) -> dict[str, str]:
        return {
            "mainline.model": self.order.model,
            "mainline.version": self.order.version,
            "mainline.digest": self.order.digest,
            "mainline.input": self.name,
            "mainline.input_sha256": self.sha256,
        }

    def _batches(self, table: Table, keep: list[str], schema: pa.Schema, writer: Writer, stack: ExitStack) -> None:
        manifest = self.predictor.bundle.manifest
        texts, side, spoken = self.path.suffix == ".csv", None, time.monotonic()
        for batch in table.batches(manifest.inputs, keep):
            scored = score(self.predictor, values(batch, manifest.inputs, texts=texts))
            if scored.refused:
                side = side or self._side(scored, stack)
                write_refused(side, scored.refused, batch, first=self.rows, keep=keep, features=manifest.inputs)
            writer.add(output_batch(schema, manifest, batch, scored, first=self.rows))
            self.rows += batch.num_rows
            self.refused_rows += batch.num_rows - len(scored.rows)
            self.warnings += scored.n_warnings
            if time.monotonic() - spoken > _PROGRESS_SECONDS:
                spoken = time.monotonic()
                self.say(f"{self.name}: {self.rows:,} rows so far")
        if side is None and self.output.size(refused_name(self.name)) is not None:
            self._open_side(stack)  # a former content had refused rows, this one has none

    def _side(self, scored: Scored, stack: ExitStack) -> IO[str]:
        if self.order.refusal is Refusal.FAIL:
            remedy = "mend them, or ask for refused rows to be set aside"
            raise FileRefused(
                f"{self.name}: rows are refused, {remedy}; the first:\n{told(self.name, scored.refused, self.rows)}"
            )
        return self._open_side(stack)

    def _open_side(self, stack: ExitStack) -> IO[str]:
        path = stack.enter_context(self.output.writing(refused_name(self.name)))
        return stack.enter_context(path.open("w", encoding="utf-8"))
