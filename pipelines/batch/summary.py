"""What a batch prediction came to: read from the receipts, checked against the files, written beside them as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from models.errors import GateClosed
from models.manifest import canonical
from pipelines.batch.claim import left_over
from pipelines.batch.order import Order
from pipelines.batch.place import Place
from pipelines.batch.plan import Plan
from pipelines.batch.receipt import Receipt, output_name, receipt_of

SUMMARY = "_summary.json"


class Incomplete(GateClosed):
    """Files of the input have no predictions."""


@dataclass(frozen=True)
class Summary:
    """How it went.

    Attributes:
        files: of the input; `predicted` of them now, `skipped` because they were done, `missing` by name.
        left_over: files of predictions of rows that are no longer there; whoever reads the folder reads them too.
        rows: of all files that are done; `refused_rows` of them have no prediction.
        seconds: since the start, by the clock.
        worker_seconds: of the files predicted now, as if one worker had done them all.
        rows_per_second: of the files predicted now, by the clock.
    """

    model: str
    version: str
    digest: str
    input: str
    output: str
    files: int
    predicted: int
    skipped: int
    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    rows: int
    refused_rows: int
    warnings: int
    seconds: float
    worker_seconds: float
    rows_per_second: float

    def __str__(self) -> str:
        parts = [f"{self.files} files: {self.predicted} predicted, {self.skipped} done before"]
        parts += [f"{len(self.missing)} refused or missing"] if self.missing else []
        parts += [f"{self.rows:,} rows", f"{self.refused_rows:,} refused", f"{self.warnings:,} values out of range"]
        parts += [f"{self.seconds:.1f} s", f"{self.rows_per_second:,.0f} rows/s"]
        return ", ".join(parts) + "".join(f"\n{line}" for line in left_over_told(self.left_over))


def summarise(plan: Plan, source: Place, output: Place, order: Order, *, failed: bool) -> Summary:
    """Read the receipts, write `_summary.json` in place of a former one.

    Args:
        failed: whether some worker did not come to its end. What it had is done only where the file still holds the
            bytes that its receipt tells of: nobody has compared them in this run.
    """
    receipts = {name: _held(source if failed else None, output, name, order) for name in plan.names}
    had = [receipt for receipt in receipts.values() if receipt is not None]
    began = datetime.fromisoformat(plan.started)
    made = [receipt for receipt in had if datetime.fromisoformat(receipt.finished) >= began]
    seconds = (datetime.now(UTC) - began).total_seconds()
    rows = sum(receipt.rows for receipt in made)
    summary = Summary(
        model=order.model,
        version=order.version,
        digest=order.digest,
        input=plan.source,
        output=output.uri,
        files=len(receipts),
        predicted=len(made),
        skipped=len(had) - len(made),
        missing=tuple(name for name, receipt in receipts.items() if receipt is None),
        left_over=tuple(left_over(source, output, {name: output_name(name, order.layout) for name in plan.names})),
        rows=sum(receipt.rows for receipt in had),
        refused_rows=sum(receipt.refused_rows for receipt in had),
        warnings=sum(receipt.warnings for receipt in had),
        seconds=round(seconds, 3),
        worker_seconds=round(sum(receipt.seconds for receipt in made), 3),
        rows_per_second=round(rows / seconds, 1) if seconds > 0 else 0.0,
    )
    with output.turn(SUMMARY), output.writing(SUMMARY) as path:
        path.write_bytes(canonical(asdict(summary)))
    return summary


def refuse_missing(missing: Sequence[str], *, failed: bool) -> None:
    """Nothing, where every file is done and every worker came to its end.

    Raises:
        Incomplete: names of files that are not done, or that a worker failed nevertheless.
    """
    if missing:
        raise Incomplete(f"no predictions of {_first(missing)}: the steps that had these files say why")
    if failed:
        raise Incomplete("every file is done, yet a worker failed: its step says why; run again to have all verified")


def left_over_told(names: Sequence[str]) -> list[str]:
    """A line for a person, where files of predictions are left over."""
    return [f"left over, of rows that are no longer there: {_first(names)}; remove what is not wanted"] if names else []


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _held(source: Place | None, output: Place, name: str, order: Order) -> Receipt | None:
    """The receipt of a file whose predictions are there; their bytes were hashed by whoever made or skipped them.

    Args:
        source: where the file must have the receipt's bytes; None where whoever skipped it has compared them.
    """
    receipt = receipt_of(output, name, order)
    if receipt is None or output.size(receipt.output) != receipt.output_bytes:
        return None
    return receipt if source is None or _sha256(source, name) == receipt.input_sha256 else None


def _sha256(source: Place, name: str) -> str | None:
    try:
        return source.sha256(name)
    except PermissionError:  # whoever had the file told
        return None
