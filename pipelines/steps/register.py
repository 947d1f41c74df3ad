"""Decides again, from the numbers and the commit's gates, whether a bundle becomes a version; records all in MLflow."""

from collections.abc import Sequence
from pathlib import Path

from models.errors import GateClosed
from pipelines.registration import Submission, register
from pipelines.steps import entry


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("register", __doc__)
    entry.flags(arguments, "--source", "--bundle", "--training", "--evaluation", "--validation", "--out", kind=Path)
    entry.flags(arguments, "--outcome-file", "--version-file", kind=Path)
    entry.flags(arguments, "--model", "--branch", "--commit", "--run-id")
    given = arguments.parse_args(argv)
    registration = register(
        Submission(
            source=given.source,
            model=given.model,
            branch=given.branch,
            commit=given.commit,
            run_id=given.run_id,
            bundle=given.bundle,
            training=given.training,
            evaluation=given.evaluation,
            validation=given.validation,
            out=given.out,
        )
    )
    entry.write_output(given.version_file, registration.version)
    entry.write_output(given.outcome_file, str(registration.outcome))
    print(f"outcome: {registration.outcome} {registration.version} {registration.reason}".rstrip())
    if registration.refused:
        raise GateClosed(registration.reason)


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
