"""Ends a run whose data did not pass validation: MLflow keeps the reason, the exit code that a retry is in vain."""

from collections.abc import Sequence

from models.errors import GateClosed
from pipelines import tracking
from pipelines.steps import entry


def refuse(run_id: str, reason: str) -> None:
    """Marks the run failed with its reason.

    Raises:
        GateClosed: always; a refusal is not a success of the workflow.
    """
    tracking.fail_run(run_id, reason)
    raise GateClosed(reason)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("refuse", __doc__)
    entry.flags(arguments, "--run-id", "--reason")
    given = arguments.parse_args(argv)
    refuse(given.run_id, given.reason)


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
