"""Opens the proposal to release a registered version to staging: one file changed, and the evidence as its body."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.release_proposal import propose_release
from pipelines.steps import entry


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("propose_release", __doc__)
    entry.flags(arguments, "--decision", kind=Path)
    entry.flags(arguments, "--model", "--run-id", "--version", "--repo")
    arguments.add_argument("--base", default="main")
    given = arguments.parse_args(argv)
    print(
        propose_release(
            given.model, given.run_id, given.version, decision=given.decision, repo=given.repo, base=given.base
        )
    )


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
