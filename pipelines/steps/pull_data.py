"""Brings the one data file of a model to a folder, as the commit's `data.dvc` names it, and tells the data version."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.spec import load_spec
from pipelines.data import pull
from pipelines.steps import entry


def pull_data(source: Path, model: str, out: Path) -> str:
    """Copies the model's data file to `out/<file>`; returns the md5 of the directory that `data.dvc` pins."""
    spec = load_spec(source / "models" / model)
    return pull(source, spec.data.file, out)


def main(argv: Sequence[str] | None = None) -> None:
    arguments: argparse.ArgumentParser = entry.parser("pull_data", __doc__)
    entry.flags(arguments, "--source", "--out", "--data-md5-file", kind=Path)
    entry.flags(arguments, "--model")
    given = arguments.parse_args(argv)
    entry.write_output(given.data_md5_file, pull_data(given.source, given.model, given.out))


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
