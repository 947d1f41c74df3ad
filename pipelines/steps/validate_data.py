"""Checks the table that a model would train on; verdict and reason are outputs, for the run's record."""

from collections.abc import Sequence
from pathlib import Path

from models.spec import load_gates, load_spec
from pipelines.jsonfile import write_json
from pipelines.steps import entry
from pipelines.table import read_raw
from pipelines.validation import Report, validate


def validate_data(source: Path, data: Path, model: str, out: Path) -> Report:
    """Writes `out/validation.json` and returns the same report."""
    folder = source / "models" / model
    spec, gates = load_spec(folder), load_gates(folder)
    report = validate(read_raw(data / spec.data.file, spec), spec, gates.offline.validation)
    write_json(out / "validation.json", report.document())
    return report


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("validate_data", __doc__)
    entry.flags(arguments, "--source", "--data", "--out", "--verdict-file", "--reason-file", kind=Path)
    entry.flags(arguments, "--model")
    given = arguments.parse_args(argv)
    report = validate_data(given.source, given.data, given.model, given.out)
    for problem in report.problems:
        print(f"refused: {problem.line()}")
    for warning in report.warnings:
        print(f"warning: {warning.line()}")
    entry.write_output(given.reason_file, report.reason())
    entry.write_output(given.verdict_file, str(report.verdict))
    print(f"verdict: {report.verdict} ({report.n_rows} rows)")


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
