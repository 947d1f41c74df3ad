"""Sums up a batch prediction from its receipts; fails where a file has no predictions, or a worker failed."""

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
    entry.flags(arguments, "--workers-ended")
    add_order(arguments)
    given = arguments.parse_args(argv)
    with TemporaryDirectory(prefix="batch-") as scratch:
        plan = Plan.read(given.plan)
        source, output = (open_place(uri, Path(scratch)) for uri in (plan.source, given.output))
        failed = given.workers_ended != "Succeeded"
        summary = summarise(plan, source, output, order_of(given), failed=failed)
    print(summary)
    refuse_missing(summary.missing, failed=failed)


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
