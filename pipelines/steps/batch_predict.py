"""Predicts files of rows, each once: a worker's share of a plan, or everything at a URI with a summary at the end.

A run that was killed is run again: what is done, and verified to the last byte, is skipped.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.batch.flags import add_order, order_of
from pipelines.batch.order import FileRefused, Order
from pipelines.batch.place import open_place
from pipelines.batch.plan import Plan, make_plan
from pipelines.batch.predict import load, predict_files
from pipelines.batch.summary import summarise
from pipelines.steps import entry


def predict_shard(plan: Plan, shard: int, output: str, order: Order, scratch: Path) -> None:
    """Predicts the files of one worker."""
    predict_files(
        open_place(plan.source, scratch),
        plan.shards[shard],
        open_place(output, scratch),
        order=order,
        predictor=load(order, scratch),
        say=print,
    )


def predict_all(source: str, output: str, order: Order, scratch: Path) -> None:
    """Predicts every file at a URI and sums up, whether or not some were refused."""
    plan = make_plan(source, output, shards=1, layout=order.layout, started=datetime.now(UTC), scratch=scratch)
    refused = None
    try:
        predict_shard(plan, 0, output, order, scratch)
    except FileRefused as err:
        refused = err
    failed = refused is not None
    print(summarise(plan, open_place(plan.source, scratch), open_place(output, scratch), order, failed=failed))
    if refused is not None:
        raise refused


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("batch_predict", __doc__)
    which = arguments.add_mutually_exclusive_group(required=True)
    which.add_argument("--input", help="URI of a folder or a file: everything there")
    which.add_argument("--plan", type=Path, help="folder that batch_plan wrote")
    arguments.add_argument("--shard", type=int, default=0, help="which part of the plan")
    add_order(arguments)
    given = arguments.parse_args(argv)
    with TemporaryDirectory(prefix="batch-") as scratch:
        if given.plan:
            predict_shard(Plan.read(given.plan), given.shard, given.output, order_of(given), Path(scratch))
        else:
            predict_all(given.input, given.output, order_of(given), Path(scratch))


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
