"""Makes the cluster what main says: applies every released overlay, server-side, and deletes what left git."""

from collections.abc import Sequence
from datetime import datetime

from pipelines.apply import apply_main
from pipelines.apply_result import worst
from pipelines.kube import connect
from pipelines.steps import entry


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("apply", __doc__)
    entry.flags(arguments, "--repo")
    arguments.add_argument("--branch", default="main")
    arguments.add_argument("--asked", type=datetime.fromisoformat, help="when somebody wanted it, RFC 3339")
    given = arguments.parse_args(argv)
    applied = apply_main(connect(), given.repo, say=print, branch=given.branch, asked=given.asked)
    error = worst(applied)
    if error is not None:
        raise error


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
