"""Sums up a batch prediction from its receipts; fails where a file of the plan has no predictions."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.batch.flags import add_order, order_of
from pipelines.batch.place import open_place
from pipelines.batch.plan import Plan
from pipelines.batch.summary import refuse_missing, summarise
from pipelines.steps import entry


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("batch_summary", __doc__)
    entry.flags(arguments, "--plan", kind=Path)
    add_order(arguments)
    given = arguments.parse_args(argv)
    with TemporaryDirectory(prefix="batch-") as scratch:
        summary = summarise(Plan.read(given.plan), open_place(given.output, Path(scratch)), order_of(given))
    print(summary)
    refuse_missing(summary.missing)


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
