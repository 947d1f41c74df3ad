"""The exit handler: a run that its workflow left open is closed with the workflow's status as the reason."""

from collections.abc import Sequence

from pipelines import tracking
from pipelines.steps import entry


def finish_run(run_id: str, status: str) -> None:
    """Closes the run if it is still open; a run that a step has closed keeps what that step wrote.

    Args:
        run_id: empty where the workflow ended before a run was opened; then there is nothing to close.
        status: the workflow's status: Succeeded, Failed or Error.
    """
    if run_id and not run_id.startswith("{{"):  # Argo leaves the name standing where no run was opened
        tracking.finish_run(run_id, status)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("finish_run", __doc__)
    entry.flags(arguments, "--run-id", "--status")
    given = arguments.parse_args(argv)
    finish_run(given.run_id, given.status)


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
