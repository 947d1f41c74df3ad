"""Whole rehearsals with real servers, Prometheus and judge: what they end with, and that they leave nothing behind."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from models.errors import ConfigError
from models.release import render_release, unreleased
from pipelines import tools
from pipelines.rehearsal.record import Rehearsal
from pipelines.rehearsal.rehearse import Request, rehearse
from pipelines.versions import ToolMissing
from tests.pipelines.rehearsal.repository import ENVIRONMENT, MODEL, PATH, Repository, release
from tests.specimens.making import made

pytestmark = pytest.mark.slow
STRATEGY = "kustomize/components/canary/strategy.yaml"
GATES = f"models/{MODEL}/gates.yaml"
# Boot, walk and end on a machine that has more to do.
_PATIENCE_SECONDS = 400


@pytest.fixture(scope="module", autouse=True)
def prometheus() -> None:
    try:
        tools.prometheus(tools.ROOT)
    except ToolMissing as err:
        pytest.skip(str(err))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Production runs diabetes 1; the branch `next` would release a better 2.

    How slow an answer may be is other tests' affair: beside them, a sound version is slow too.
    """
    root = tmp_path / "repository"
    root.mkdir()
    found = Repository(root, made("diabetes-stable"))
    found.edit(GATES, "max_p99_seconds: 0.1\n", "max_p99_seconds: 4.0\n")
    found.edit(GATES, "max_ratio_to_stable: 2.0\n", "max_ratio_to_stable: 100.0\n")
    found.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    found.write(PATH, render_release(release("2", bundle=made("diabetes-better"))))
    found.commit("release 2", branch="next")
    return found


def request(**changes: object) -> Request:
    return Request(model=MODEL, environment=ENVIRONMENT, **{"head": "next", **changes})  # type: ignore[arg-type]


def run(repository: Repository, **changes: object) -> Rehearsal:
    asked = request(**changes)
    return rehearse(repository.root, asked, repo=str(repository.root), console=Console(file=io.StringIO()))


def on_next(repository: Repository, change: Callable[[], None], message: str) -> None:
    """Commits a change of the working tree on top of `next`."""
    repository.git("switch", "--quiet", "next")
    change()
    repository.commit(message)
    repository.git("switch", "--quiet", "main")


def processes(folder: Path) -> dict[int, Path]:
    """The processes that work below a folder, by id."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            place = (entry / "cwd").resolve(strict=True)
        except OSError:
            continue
        if place.is_relative_to(folder):
            found[int(entry.name)] = place
    return found


def test_better_version_is_promoted_and_everything_about_it_is_told(repository: Repository) -> None:
    told = run(repository)
    assert (told.ending, told.gate, told.share) == ("promoted", "", 1.0), told.reason
    assert told.took_seconds < 90
    folder = request().folder(repository.root)
    record = json.loads((folder / "rehearsal.json").read_text())
    assert record["head"]["digest"] == made("diabetes-better").digest
    assert {gate["verdict"] for gate in record["gates"]} <= {"pass", "did not close"}
    assert {gate["template"] for gate in record["gates"]} >= {"enough-samples", "input-drift", "prediction-shift"}
    judged = [gate for gate in record["gates"] if gate["link"]]
    assert judged
    assert all((folder / gate["link"]).is_file() for gate in judged)
    assert sum(record["traffic"]["errors"].values()) == 0
    assert max(point["share"] for point in record["points"]) == 1.0
    assert "<h1" in (folder / "report.html").read_text()
    assert "promoted" in (folder / "summary.md").read_text()
    assert not (folder / "work").exists()
    assert {log.name for log in (folder / "logs").iterdir()} == {
        "stable.log", "candidate.log", "prometheus.log", "judge.log",
    }  # fmt: skip
    assert processes(repository.root) == {}


def test_step_in_yaml_changes_the_outcome(repository: Repository) -> None:
    wait = "        - setWeight: 25\n        - pause: {}\n"
    on_next(repository, lambda: repository.edit(STRATEGY, "        - setWeight: 25\n", wait), "a person looks")
    told = run(repository)
    assert (told.ending, told.share) == ("paused", 0.25)
    assert "a person promotes" in told.reason


def test_threshold_in_yaml_changes_the_outcome(repository: Repository) -> None:
    def stricter() -> None:
        text = (repository.root / GATES).read_text(encoding="utf-8")
        text = re.sub(r"max_p99_seconds: \S+", "max_p99_seconds: 0.00001", text)
        repository.write(GATES, text)

    on_next(repository, stricter, "gates: no patience at all")
    told = run(repository)
    assert (told.ending, told.template) == ("aborted", "latency")
    assert "0.00001" in told.reason or "1e-05" in told.reason


def test_template_in_yaml_changes_the_outcome(repository: Repository) -> None:
    path = "manifests/analysis/analysistemplate-error-storm.yaml"

    def closing() -> None:
        text = (repository.root / path).read_text(encoding="utf-8")
        repository.write(path, re.sub(r"failureCondition: .*", 'failureCondition: "true"', text))

    on_next(repository, closing, "a guard that always closes")
    told = run(repository)
    assert (told.ending, told.template) == ("aborted", "error-storm")


def test_gates_alone_are_rehearsed_with_the_release_that_runs(repository: Repository) -> None:
    repository.edit(STRATEGY, "        - setWeight: 25\n", "        - setWeight: 25\n        - pause: {}\n")
    repository.commit("steps: a person looks", branch="steps")
    told = run(repository, head="steps")
    assert told.ending == "paused"
    assert told.base.digest == told.head.digest
    assert told.base.hash != told.head.hash
    assert any("same release again" in note for note in told.notes)


def test_first_deployment_has_no_steps(repository: Repository) -> None:
    told = run(repository, base="main~1", head="main")
    assert (told.ending, told.strategy) == ("promoted", "first")
    assert "a first deployment has no steps" in told.reason


def test_where_nothing_differs_nothing_is_started(repository: Repository) -> None:
    told = run(repository, base="main", head="main")
    assert (told.ending, told.points) == ("nothing", ())
    assert "merging changes nothing" in told.reason


def test_environment_without_a_release_is_refused(repository: Repository) -> None:
    on_next(repository, lambda: repository.write(PATH, render_release(unreleased(MODEL))), "take it back")
    with pytest.raises(ConfigError, match="nothing of diabetes is released to production"):
        run(repository)


class Killer(io.StringIO):
    """A console's file that ends a process of the rehearsal once a text was written."""

    def __init__(self, folder: Path, name: str, *, after: str) -> None:
        super().__init__()
        self.folder, self.name, self.after = folder, name, after
        self.killed: list[int] = []

    def write(self, text: str, /) -> int:
        if self.after in text and not self.killed:
            self.killed = [pid for pid, place in processes(self.folder).items() if place.name == self.name]
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)
        return super().write(text)


@pytest.mark.parametrize("name", ["prometheus", "judge"])
def test_gate_that_is_killed_in_the_middle_promotes_nobody(repository: Repository, name: str) -> None:
    killer = Killer(repository.root, name, after="enough-samples")
    asked = request(most_seconds=14.0)
    told = rehearse(repository.root, asked, repo=str(repository.root), console=Console(file=killer, width=200))
    assert killer.killed
    assert told.ending in ("aborted", "paused")
    assert told.share < 1.0
    assert any(f"{name} ended with status -9" in note for note in told.notes)
    assert processes(repository.root) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted_rehearsal_leaves_no_process(repository: Repository, number: int) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "rehearse", MODEL, "--env", ENVIRONMENT, "--head", "next"]
    environment = {**os.environ, "PYTHONPATH": str(tools.ROOT), "MAINLINE_FORGE_REPO": str(repository.root)}
    with subprocess.Popen(
        command, cwd=repository.root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        timer = threading.Timer(_PATIENCE_SECONDS, process.kill)
        timer.start()
        assert process.stderr is not None
        seen = any("enough-samples" in line for line in process.stderr)
        assert seen
        assert len(processes(repository.root)) >= 5  # itself, two servers, Prometheus, the judge
        process.send_signal(number)
        process.stderr.read()
        assert process.wait(timeout=30) != 0
        timer.cancel()
    deadline = time.monotonic() + 5
    while processes(repository.root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes(repository.root) == {}
