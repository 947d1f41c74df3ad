"""Lists the files of a batch prediction and shares them out among its workers."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

from pipelines.batch.order import Layout
from pipelines.batch.plan import make_plan
from pipelines.steps import entry


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("batch_plan", __doc__)
    entry.flags(arguments, "--input", "--output")
    entry.flags(arguments, "--layout", kind=Layout)
    entry.flags(arguments, "--workers", kind=int)
    entry.flags(arguments, "--out", "--shards-file", kind=Path)
    arguments.add_argument("--asked", default="", help="when; another text is another plan")
    given = arguments.parse_args(argv)
    plan = make_plan(
        given.input,
        given.output,
        shards=max(1, given.workers),
        layout=given.layout,
        started=datetime.now(UTC),
        scratch=Path(gettempdir()),
    )
    plan.write(given.out)
    entry.write_output(given.shards_file, json.dumps(list(range(len(plan.shards)))))
    print(f"{len(plan.names)} files for {len(plan.shards)} workers")


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
