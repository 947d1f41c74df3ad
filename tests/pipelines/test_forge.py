"""Proposals in real bare repositories: opened, superseded, closed, merged; nothing between whole and none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.errors import ConfigError, GateClosed
from models.release import Release, release_path, render_release, unreleased
from pipelines.forge import Proposal, State, close, merge, open_proposal, open_proposals
from pipelines.gitstore import GitFailed

GRACE = "Grace Approver <grace@example.org>"
PATH = release_path("staging", "iris")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A clone with three commits, each of which could have been trained, of a bare origin beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for environment in ("staging", "production"):
        file = folder / release_path(environment, "iris")
        file.parent.mkdir(parents=True)
        file.write_text(render_release(unreleased("iris")), encoding="utf-8")
    for number in range(3):
        (folder / "n").write_text(str(number), encoding="utf-8")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"commit {number}")
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(tmp_path / "origin.git"))
    git(folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    return folder


@pytest.fixture
def origin(work: Path) -> Path:
    return work.parent / "origin.git"


def release(work: Path, version: int, *, behind: int = 0) -> Release:
    digest = f"sha256:{version % 10}" + "0" * 63
    commit = git(work, "rev-parse", f"main~{behind}")
    return Release("this-machine", "iris", str(version), "file:///bundle", digest, f"run{version}", commit)


def propose(origin: Path, wanted: Release, *, draft: bool = False, body: str = "# Report\n\n#1 of 1") -> Proposal:
    branch = f"propose/staging/iris/{wanted.version}"
    title = f"release: iris {wanted.version} to staging"
    return open_proposal(origin, branch, "main", {PATH: render_release(wanted)}, title, body, draft)


def refs(origin: Path) -> list[str]:
    return git(origin, "for-each-ref", "--format=%(refname)").splitlines()


def test_proposal_is_one_commit_that_changes_one_file(work: Path, origin: Path) -> None:
    proposal = propose(origin, release(work, 1))
    assert (proposal.state, proposal.draft) == (State.OPEN, False)
    assert git(origin, "diff", "--name-only", "main", proposal.branch) == PATH
    assert git(origin, "rev-list", "--count", f"main..{proposal.branch}") == "1"
    message = git(origin, "log", "-1", "--format=%B", proposal.branch)
    assert message == "release: iris 1 to staging\n\n# Report\n\n#1 of 1"
    (found,) = open_proposals(origin, "iris", "staging")
    assert (found.commit, found.title, found.body) == (proposal.commit, proposal.title, proposal.body)
    assert open_proposals(origin, "digits") == []


def test_proposing_twice_gives_the_same_commit(work: Path, origin: Path) -> None:
    first = propose(origin, release(work, 1))
    assert propose(origin, release(work, 1)).commit == first.commit


def test_newer_proposal_closes_the_older_with_its_reason(work: Path, origin: Path) -> None:
    propose(origin, release(work, 1, behind=1))
    second = propose(origin, release(work, 2))
    assert second.superseded == ("propose/staging/iris/1",)
    assert [proposal.version for proposal in open_proposals(origin)] == ["2"]
    (closed,) = [ref for ref in refs(origin) if ref.startswith("refs/closed/propose/staging/iris/1/")]
    assert "superseded by propose/staging/iris/2" in git(origin, "log", "-1", "--format=%B", closed)


def test_proposal_of_an_older_commit_is_not_opened(work: Path, origin: Path) -> None:
    propose(origin, release(work, 2))
    late = propose(origin, release(work, 3, behind=2))
    assert late.state is State.SUPERSEDED
    assert "propose/staging/iris/2 has version 2 of the later commit" in late.reason
    assert [proposal.version for proposal in open_proposals(origin)] == ["2"]
    merge(origin, "propose/staging/iris/2", GRACE)
    late = propose(origin, release(work, 3, behind=2))
    assert late.state is State.SUPERSEDED
    assert "main has version 2" in late.reason


def test_release_that_the_base_has_is_not_proposed(work: Path, origin: Path) -> None:
    merge(origin, propose(origin, release(work, 1)).branch, GRACE)
    again = propose(origin, release(work, 1))
    assert again.state is State.CURRENT
    assert open_proposals(origin) == []


def test_merge_is_the_approvers_and_keeps_what_main_did_meanwhile(work: Path, origin: Path) -> None:
    proposal = propose(origin, release(work, 1))
    (work / "other").write_text("x", encoding="utf-8")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "meanwhile")
    git(work, "push", "-q", "origin", "main")
    commit = merge(origin, proposal.branch, GRACE)
    assert git(origin, "rev-parse", "main") == commit
    assert git(origin, "log", "-1", "--format=%an <%ae>", "main") == GRACE
    assert f"Approved-by: {GRACE}" in git(origin, "log", "-1", "--format=%B", "main")
    assert git(origin, "show", "main:other") == "x"
    assert git(origin, "diff", "--name-only", "main~1", "main") == PATH
    assert git(origin, "rev-parse", "main^2") == proposal.commit
    assert [ref for ref in refs(origin) if ref.startswith("refs/merged/")]
    assert open_proposals(origin) == []


def test_draft_is_merged_only_by_a_decision(work: Path, origin: Path) -> None:
    proposal = propose(origin, release(work, 1), draft=True)
    assert [found.draft for found in open_proposals(origin)] == [True]
    with pytest.raises(GateClosed, match="is a draft"):
        merge(origin, proposal.branch, GRACE)
    merge(origin, proposal.branch, GRACE, accept_draft=True)


def test_merge_refuses_what_main_changed_since(work: Path, origin: Path) -> None:
    proposal = propose(origin, release(work, 1))
    (work / PATH).write_text(render_release(release(work, 5)), encoding="utf-8")
    git(work, "commit", "-qam", "by hand")
    git(work, "push", "-q", "origin", "main")
    with pytest.raises(GateClosed, match=r"changed .* since it was opened"):
        merge(origin, proposal.branch, GRACE)


def test_merge_refuses_an_unknown_proposal_and_an_anonymous_approver(work: Path, origin: Path) -> None:
    with pytest.raises(ConfigError, match="no such proposal"):
        merge(origin, "propose/staging/iris/9", GRACE)
    with pytest.raises(ConfigError, match="must be `Name <address>`"):
        merge(origin, propose(origin, release(work, 1)).branch, "somebody")


def test_closed_proposal_keeps_its_reason_and_may_be_opened_again(work: Path, origin: Path) -> None:
    proposal = propose(origin, release(work, 1))
    close(proposal, "not now")
    assert open_proposals(origin) == []
    with pytest.raises(ConfigError, match="is not open"):
        close(proposal, "again")
    close(propose(origin, release(work, 1), body="second"), "still not")
    notes = [git(origin, "log", "-1", "--format=%b", ref) for ref in refs(origin) if ref.startswith("refs/closed/")]
    assert sorted(notes) == ["not now", "still not"]


@pytest.mark.parametrize(
    ("branch", "path", "said"),
    [
        ("release/iris", PATH, "must be propose/"),
        ("propose/staging/iris/1", "README.md", "must change kustomize/overlays/staging/iris/release.yaml alone"),
        ("propose/staging/iris/2", PATH, "name the branch after it"),
    ],
)
def test_what_is_no_proposal_is_refused(work: Path, origin: Path, branch: str, path: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_proposal(origin, branch, "main", {path: render_release(release(work, 1))}, "t", "b", False)


def test_missing_base_and_missing_remote_are_named(work: Path, origin: Path, tmp_path: Path) -> None:
    text = render_release(release(work, 1))
    with pytest.raises(ConfigError, match="has no branch 'trunk'; it has main"):
        open_proposal(origin, "propose/staging/iris/1", "trunk", {PATH: text}, "t", "b", False)
    with pytest.raises(GitFailed, match="nowhere"):
        open_proposals(tmp_path / "nowhere")


KILLED = """
import sys
from pipelines.forge import open_proposal
repo, branch, path, text = sys.argv[1:]
open_proposal(repo, branch, "main", {path: text}, "title", "body", False)
"""


@pytest.mark.parametrize("milliseconds", [120, 180, 240, 300])
def test_kill_leaves_a_whole_proposal_or_none(work: Path, origin: Path, milliseconds: int) -> None:
    propose(origin, release(work, 1, behind=1))
    text = render_release(release(work, 2))
    branch = "propose/staging/iris/2"
    command = [sys.executable, "-c", KILLED, str(origin), branch, PATH, text]
    process = subprocess.Popen(command, start_new_session=True)
    time.sleep(milliseconds / 1000)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.3)  # a push that had begun ends by itself, in a session of its own
    assert [proposal.version for proposal in open_proposals(origin)] in (["1"], ["2"])
    open_proposal(origin, branch, "main", {PATH: text}, "title", "body", False)
    assert [proposal.version for proposal in open_proposals(origin)] == ["2"]
    git(origin, "fsck", "--strict")


@pytest.mark.parametrize("way", ["--no-ff", "--squash"])
def test_proposal_that_a_forges_button_merged_is_no_longer_open(work: Path, origin: Path, way: str) -> None:
    first = propose(origin, release(work, 1, behind=1))
    git(work, "fetch", "-q", "origin", "main", first.branch)
    git(work, "checkout", "-q", "--detach", "origin/main")
    git(work, "merge", "-q", way, *(["-m", "merge"] if way == "--no-ff" else []), first.commit)
    if way == "--squash":
        git(work, "commit", "-qm", "squashed")
    git(work, "push", "-q", "origin", "HEAD:main")
    assert f"refs/heads/{first.branch}" in refs(origin), "the button left the branch"
    assert open_proposals(origin) == []
    second = propose(origin, release(work, 2))
    assert second.superseded == ()
    assert [ref for ref in refs(origin) if first.branch in ref] == [f"refs/merged/{first.branch}/{first.commit[:12]}"]
