"""Notes how a rollout ended: the alias follows a completed one, an aborted one gets its evidence and a revert."""

from collections.abc import Sequence

from pipelines.kube import connect
from pipelines.rollout_ended import ended
from pipelines.standing import Ending
from pipelines.steps import entry


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("rollout_ended", __doc__)
    entry.flags(arguments, "--namespace", "--rollout", "--hash", "--repo")
    arguments.add_argument("--phase", required=True, choices=[each.value for each in Ending])
    given = arguments.parse_args(argv)
    ended(connect(), given.repo, given.namespace, given.rollout, given.hash, Ending(given.phase), say=print)


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
