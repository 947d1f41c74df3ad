"""The tracking module on a real MLflow store: idempotent, and safe beside other processes."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from models.errors import ConfigError
from pipelines import lineage, tracking
from pipelines.errors import RunNotFound
from pipelines.lineage import Origin

Make = Callable[..., Origin]


def _start(origin: Origin, parameters_hash: str = "h") -> str:
    return tracking.start_run(origin, parameters_hash=parameters_hash, parameters={"alpha": 1.0})


@pytest.mark.usefixtures("store")
def test_run_of_the_same_commit_data_and_parameters_is_found(origin: Make) -> None:
    run = _start(origin())
    tracking.fail_run(run, "killed")
    assert _start(origin(workflow="retry")) == run
    assert tracking.get_run(run).status == "RUNNING"
    others = [origin(commit="b" * 40), origin(data_md5="x"), origin(model="kind"), origin(dirty=True)]
    assert len({run, *map(_start, others), _start(origin(), "other")}) == 6


@pytest.mark.usefixtures("store")
def test_dirty_trees_never_share_a_run(origin: Make) -> None:
    assert _start(origin(dirty=True)) != _start(origin(dirty=True))


@pytest.mark.usefixtures("store")
def test_a_digest_has_one_version(origin: Make) -> None:
    run = _start(origin())

    def register(digest: str) -> str:
        return tracking.register_version("price", run_id=run, uri="file:///b", digest=digest, tags={}).number

    assert [register("sha256:1"), register("sha256:1"), register("sha256:2"), register("sha256:1")] == [
        "1",
        "1",
        "2",
        "1",
    ]
    assert [version.digest for version in tracking.versions("price")] == ["sha256:1", "sha256:2"]
    assert tracking.find_version("price", "2").tags[lineage.URI] == "file:///b"


@pytest.mark.usefixtures("store")
def test_runs_are_found_by_digest_commit_and_id(origin: Make) -> None:
    run = _start(origin())
    digest = "sha256:" + "f" * 64
    tracking.log_evaluation(run, metrics={"rmse": 1.5, "r2": float("nan")}, tags={lineage.DIGEST: digest})
    assert {tracking.find_run(key).id for key in (digest, "a" * 40, run)} == {run}
    assert tracking.get_run(run).metrics == {"rmse": 1.5}
    assert [each.id for each in tracking.runs("price")] == [run]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("key", ["sha256:" + "0" * 64, "c" * 40, "d" * 32], ids=["digest", "commit", "id"])
def test_unknown_run_is_refused(key: str) -> None:
    with pytest.raises(RunNotFound, match=key):
        tracking.find_run(key)


@pytest.mark.usefixtures("store")
def test_unknown_version_is_refused() -> None:
    with pytest.raises(RunNotFound, match="registered are: none"):
        tracking.find_version("price", "7")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("status", "becomes"), [("Succeeded", "FINISHED"), ("Failed", "FAILED"), ("Error", "KILLED")])
def test_open_run_is_closed_by_the_exit_handler(status: str, becomes: str, origin: Make) -> None:
    run = _start(origin())
    tracking.finish_run(run, status)
    tracking.finish_run(run, "Failed")  # a closed run stays as it is
    found = tracking.get_run(run)
    assert found.status == becomes
    assert (lineage.REASON in found.tags) == (becomes != "FINISHED")


@pytest.mark.parametrize("missing", ["MLFLOW_TRACKING_URI", "MAINLINE_ARTIFACT_ROOT"])
def test_missing_environment_is_named(missing: str, store: str, origin: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigError, match=missing):
        _start(origin())


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_processes_at_once_register_one_version(origin: Make) -> None:
    run = _start(origin())
    code = (
        "from pipelines import tracking as t\n"
        f"for _ in range(3): t.log_evaluation({run!r}, metrics={{'x': 1.0}}, tags={{}})\n"
        f"print(t.register_version('price', run_id={run!r}, uri='file:///b', digest='sha256:1', tags={{}}).number)\n"
    )
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [process.communicate() for process in started]
    assert [out.strip() for out, _ in ended] == ["1", "1", "1"], ended
    assert len(tracking.versions("price")) == 1
