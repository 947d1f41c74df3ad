"""`kill -9` of batch predictions at seeded instants, alone and two at a time: no file is ever half-written or wrong.

A reader sees a former file, none, or the right one, whatever was killed; the next run completes and does no file again
that was done.
"""

import json
import multiprocessing
import random
import signal
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pyarrow.parquet
import pytest

from models.bundle import digest
from pipelines.steps import batch_predict
from tests.pipelines.batch.conftest import bundle, house_rows, spec, write

__all__ = ["bundle", "spec"]  # fixtures

pytestmark = pytest.mark.faults

_FILES = 12
_KILLS = 20
# Each worker is a fork of a process that has imported everything: what is killed works, and does not import.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pipelines.steps.batch_predict"])


def start(folder: Path, bundle: Path, output: str) -> ForkServerProcess:
    flags = {
        "input": (folder / "in").as_uri(), "output": (folder / output).as_uri(), "model": "house", "version": "1",
        "bundle": bundle.as_uri(), "digest": digest(bundle), "keep": "id", "refused": "set-aside",
    }  # fmt: skip
    worker = _FORKS.Process(target=batch_predict.main, args=([f"--{name}={text}" for name, text in flags.items()],))
    worker.start()
    return worker


def complete(folder: Path, bundle: Path, output: str) -> float:
    """Run to the end, which must be a success; how long it took."""
    began, worker = time.monotonic(), start(folder, bundle, output)
    worker.join(300)
    assert worker.exitcode == 0
    return time.monotonic() - began


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
    complete(tmp_path, bundle, "first")
    seconds, right = complete(tmp_path, bundle, "alone"), kept(tmp_path / "alone")
    assert len(right) == 2 * _FILES
    output, told, landed = tmp_path / "killed", list[str](), 0
    for _ in range(_KILLS):
        workers = [start(tmp_path, bundle, "killed") for _ in range(chance.choice([1, 2]))]
        instant = chance.uniform(0, seconds)
        time.sleep(instant)
        before = receipts(output) if output.exists() else {}
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()
            landed += worker.exitcode == -signal.SIGKILL
        told.append(f"{len(workers)} at {instant:.3f} s of {seconds:.3f}")
        if output.exists():
            found, after = kept(output), receipts(output)
            assert {name: right[name] for name in found} == found, told
            assert all(after[name] == finished for name, finished in before.items()), f"done twice: {told}"
        for path in (output / "_done").rglob("[!.]*.json"):
            if chance.random() < 0.4:
                path.unlink()  # so that there is something left to be killed at
    complete(tmp_path, bundle, "killed")
    assert kept(output) == right, told
    assert not list(output.rglob(".*.partial")), told
    assert pyarrow.parquet.read_table(output / "deep").num_rows == _FILES * 3999
    assert json.loads((output / "_summary.json").read_text())["missing"] == []
    assert landed >= _KILLS / 2, f"too few kills landed: {told}"
