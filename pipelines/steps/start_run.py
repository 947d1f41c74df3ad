"""Finds or opens the MLflow run of one commit, data version and set of parameters, so that a retry continues it."""

from collections.abc import Sequence
from pathlib import Path

from models.spec import load_spec
from pipelines import tracking
from pipelines.lineage import Origin, parameters_hash
from pipelines.steps import entry


def start_run(source: Path, origin: Origin) -> str:
    """The id of the run that this training writes to; a dirty tree always gets a run of its own."""
    spec = load_spec(source / "models" / origin.model)
    return tracking.start_run(origin, parameters_hash=parameters_hash(spec), parameters=dict(spec.parameters))


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("start_run", __doc__)
    entry.flags(arguments, "--source", "--run-id-file", kind=Path)
    entry.flags(arguments, "--model", "--commit", "--branch", "--data-md5", "--workflow", "--image")
    arguments.add_argument("--dirty", type=entry.truth, default=False)
    given = arguments.parse_args(argv)
    origin = Origin(
        model=given.model,
        commit=given.commit,
        branch=given.branch,
        data_md5=given.data_md5,
        workflow=given.workflow,
        image=given.image,
        dirty=given.dirty,
    )
    entry.write_output(given.run_id_file, start_run(given.source, origin))


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
