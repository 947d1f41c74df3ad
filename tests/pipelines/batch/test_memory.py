"""A file twenty times as long is predicted in about the same memory, whatever its row groups."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.bundle import digest
from tests.pipelines.batch.conftest import bundle, house_rows, spec

__all__ = ["bundle", "spec"]  # fixtures

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
_CODE = (
    "import resource, sys; from pipelines.steps.batch_predict import main; main(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == 'linux' else 1024 * 1024))"
)


def peak_mb(source: Path, bundle: Path) -> int:
    flags = {
        "input": source.as_uri(), "output": source.with_name(f"{source.name}-out").as_uri(), "model": "house",
        "version": "1", "bundle": bundle.as_uri(), "digest": digest(bundle), "keep": "id",
    }  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-c", _CODE, *(f"--{name}={text}" for name, text in flags.items())],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(told.stdout.splitlines()[-1])


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, bundle: Path, ending: str) -> None:
    import pandas as pd

    some = house_rows(10_000)
    peaks = []
    for times in (10, 200):
        table = pd.concat([some] * times, ignore_index=True)
        path = tmp_path / f"rows-{times}.{ending}"
        table.to_parquet(path, row_group_size=len(table)) if ending == "parquet" else table.to_csv(path, index=False)
        peaks.append(peak_mb(path, bundle))
    # a row group that waits to be written and allocators' slack; all rows would be 150 MB and more
    assert peaks[1] < peaks[0] + 130, peaks
