"""The push queue: which branches, in which order, and what a killed one leaves to the next."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.local import Result
from pipelines.process import exclusive
from pipelines.pushes import Push, await_arriving, drain, enqueue, install_hook, post_receive, pushed
from pipelines.submit import Request

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40


class Trained(list[Request]):
    """Notes what is asked for; stops at the commit that it is told."""

    def __init__(self, kill_at: str = "") -> None:
        super().__init__()
        self.kill_at = kill_at

    def __call__(self, request: Request) -> Result:
        if request.commit == self.kill_at:
            raise KeyboardInterrupt
        self.append(request)
        return Result(request.workflow, "Succeeded", "", 0.0, 0, {})


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, list[str]]:
    repo = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", "-b", "main", str(repo)], check=True)
    (repo / "models/iris").mkdir(parents=True)
    (repo / "models/iris/model.yaml").write_text("data: {file: iris.csv}\n")
    commits = []
    for text in ("0", "1", "2"):
        (repo / "models/iris/train.py").write_text(text)
        subprocess.run(["git", "-C", str(repo), "add", "-A"], check=True)
        subprocess.run(["git", "-C", str(repo), "commit", "-qm", text], check=True)
        head = subprocess.run(["git", "-C", str(repo), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        commits.append(head.stdout.strip())
    return repo, commits


def test_two_quick_pushes_train_both_commits_in_the_order_of_history(
    tmp_path: Path, history: tuple[Path, list[str]]
) -> None:
    repo, (zero, one, two) = history
    enqueue(tmp_path / "q", [Push(one, two, "main")])  # the later one was noted first
    enqueue(tmp_path / "q", [Push(zero, one, "main")])
    trained = Trained()
    lines = list(drain(tmp_path / "q", repo, trained))
    assert [request.commit for request in trained] == [one, two]
    assert "main" in lines[0]
    assert list((tmp_path / "q/waiting").iterdir()) == []
    assert len(list((tmp_path / "q/done").iterdir())) == 2


def test_killed_drain_completes_at_the_next(tmp_path: Path, history: tuple[Path, list[str]]) -> None:
    repo, (zero, one, two) = history
    enqueue(tmp_path / "q", [Push(zero, one, "main"), Push(one, two, "main")])
    with pytest.raises(KeyboardInterrupt):
        list(drain(tmp_path / "q", repo, Trained(kill_at=two)))
    trained = Trained()
    list(drain(tmp_path / "q", repo, trained))
    assert [request.commit for request in trained] == [two]


def test_push_that_cannot_be_trained_is_said_and_set_aside(tmp_path: Path, history: tuple[Path, list[str]]) -> None:
    repo, (zero, one, _) = history
    enqueue(tmp_path / "q", [Push(zero, "f" * 40, "main"), Push(zero, one, "main")])
    trained = Trained()
    lines = list(drain(tmp_path / "q", repo, trained))
    assert "no commit" in lines[0]
    assert [request.commit for request in trained] == [one]


@pytest.mark.parametrize(
    ("line", "branches"),
    [
        (f"{A} {B} refs/heads/main", ["main"]),
        (f"{ZERO} {B} refs/heads/topic/x", ["topic/x"]),
        (f"{A} {ZERO} refs/heads/main", []),
        (f"{A} {B} refs/tags/v1", []),
        (f"{A} {B} refs/heads/propose/staging/iris/2", []),
        (f"{A} {B} refs/closed/propose/staging/iris/2", []),
    ],
    ids=["main", "new branch", "deleted", "tag", "proposal", "closed proposal"],
)
def test_branches_that_may_have_something_to_train(line: str, branches: list[str]) -> None:
    assert [push.branch for push in pushed([line + "\n"])] == branches


def test_line_that_git_would_not_write_is_refused() -> None:
    with pytest.raises(ConfigError, match="OLD NEW REF"):
        pushed(["refs/heads/main"])


def test_branch_report_does_not_take_the_name_of_mains_workflow() -> None:
    names = {Request("iris", A, "main").workflow, Request("iris", A, "topic").workflow}
    assert names == {"iris-aaaaaaaaaaaa", "iris-aaaaaaaaaaaa-report"}
    assert Request("iris", A, "main", dirty=True).workflow == "iris-aaaaaaaaaaaa-report"


def test_proposals_push_does_not_wait_for_the_queue_that_it_comes_from(tmp_path: Path) -> None:
    line = f"{A} {B} refs/heads/propose/staging/iris/2"
    with exclusive(tmp_path / "queue" / "lock"):  # as the drain that the proposal comes from
        assert post_receive([line], tmp_path, {"MAINLINE_HOME": str(tmp_path), "MAINLINE_FORGE_REPO": "x"}) == 0


def test_installed_hook_gets_the_push_and_its_environment_without_gits_own(tmp_path: Path) -> None:
    bare, told = tmp_path / "origin.git", tmp_path / "told.json"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"json.dump([sys.argv[1:], sys.stdin.read(), dict(os.environ)], open({str(told)!r}, 'w'))\n"
    )
    python.chmod(0o755)
    hook = install_hook(bare, python, {"MAINLINE_HOME": "/a home/with 'quotes'"})
    assert hook.stat().st_mode & stat.S_IXUSR
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(bare), str(clone)], check=True, stderr=subprocess.DEVNULL)
    for command in (["commit", "-q", "--allow-empty", "-m", "x"], ["push", "-q", "origin", "HEAD:main"]):
        subprocess.run(["git", "-C", str(clone), *command], check=True, env=dict(os.environ))
    arguments, lines, environment = json.loads(told.read_text())
    assert arguments[-2:] == ["hook", "post-receive"]
    assert [push.branch for push in pushed(lines.splitlines())] == ["main"]
    assert environment["MAINLINE_HOME"] == "/a home/with 'quotes'"
    assert "GIT_DIR" not in environment


def test_hook_that_has_begun_is_waited_for_and_a_dead_one_is_not(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / str(gone.pid)).touch()
    await_arriving(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with subprocess.Popen(["sh", "-c", f"sleep 0.3; rm {tmp_path}/$$"]) as alive:
        (tmp_path / str(alive.pid)).touch()
        await_arriving(tmp_path)
        assert list(tmp_path.iterdir()) == []
