"""`kill -9` of batch predictions at seeded instants, alone and two at a time: no file is ever half-written or wrong.

A reader sees a former file, none, or the right one, whatever was killed; the next run completes and does no file again
that was done.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet
import pytest

from models.bundle import digest
from tests.pipelines.batch.conftest import bundle, house_rows, spec, write

__all__ = ["bundle", "spec"]  # fixtures

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
_FILES = 12
_KILLS = 20


def command(folder: Path, bundle: Path, output: str) -> list[str]:
    flags = {
        "input": (folder / "in").as_uri(), "output": (folder / output).as_uri(), "model": "house", "version": "1",
        "bundle": bundle.as_uri(), "digest": digest(bundle), "keep": "id", "refused": "set-aside",
    }  # fmt: skip
    return [
        sys.executable,
        "-m",
        "pipelines.steps.batch_predict",
        *(f"--{name}={text}" for name, text in flags.items()),
    ]


def start(folder: Path, bundle: Path, output: str) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command(folder, bundle, output), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def kept(output: Path) -> dict[str, bytes]:
    """Every file that a reader sees; receipts tell times and are left out."""
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.suffix in (".parquet", ".jsonl")
    }


def receipts(output: Path) -> dict[str, str]:
    return {path.name: json.loads(path.read_text())["finished"] for path in (output / "_done").rglob("[!.]*.json")}


@pytest.mark.parametrize("seed", [3, 20240607])
def test_killed_workers_leave_whole_files_and_the_next_goes_on(tmp_path: Path, bundle: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  (instants, no secrets)
    for number in range(_FILES):
        table = house_rows(4000, seed=number)
        table.loc[number, "rooms"] = 99
        write(table, tmp_path / "in" / f"deep/part-{number}.{'csv' if number % 2 else 'parquet'}")
    began = time.monotonic()
    assert start(tmp_path, bundle, "alone").wait(300) == 0, (tmp_path / "log").read_text()
    seconds, right = time.monotonic() - began, kept(tmp_path / "alone")
    assert len(right) == 2 * _FILES
    output, told, landed = tmp_path / "killed", list[str](), 0
    for number in range(_KILLS):
        workers = [start(tmp_path, bundle, "killed") for _ in range(chance.choice([1, 2]))]
        instant = chance.uniform(seconds / 3, seconds)  # before that it imports
        time.sleep(instant)
        before = receipts(output) if output.exists() else {}
        for worker in workers:
            landed += worker.poll() is None
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        told.append(f"{len(workers)} at {instant:.3f} s of {seconds:.3f}")
        if output.exists():
            found, after = kept(output), receipts(output)
            assert {name: right[name] for name in found} == found, told
            assert all(after[name] == finished for name, finished in before.items()), f"done twice: {told}"
        if len(before) == _FILES and number < _KILLS / 2:
            for path in sorted((output / "_done").rglob("[!.]*.json"))[:: chance.randint(1, 3)]:
                path.unlink()  # so that there is something left to be killed at
    assert start(tmp_path, bundle, "killed").wait(300) == 0, told
    assert kept(output) == right, told
    assert not list(output.rglob(".*.partial")), told
    assert pyarrow.parquet.read_table(output / "deep").num_rows == _FILES * 3999
    assert json.loads((output / "_summary.json").read_text())["missing"] == []
    assert landed >= _KILLS / 2, f"too few kills landed: {told}"
