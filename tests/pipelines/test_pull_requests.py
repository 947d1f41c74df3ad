"""Proposals in a real Gitea: opened once, with their report, superseded, merged by its button."""

import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ConfigError
from models.release import Release, release_path, render_release, unreleased
from pipelines.forge import Proposal, open_proposal, open_proposals
from pipelines.gitea import ForgeFailed
from pipelines.gitstore import GitFailed, Store, open_store
from pipelines.pull_requests import Fate, PullRequest, connect, open_pull_request
from tests.pipelines import gitea_server
from tests.pipelines.gitea_server import Server

pytestmark = pytest.mark.slow
PATH = release_path("staging", "iris")


@pytest.fixture(scope="module")
def gitea() -> Iterator[Server]:
    if reason := gitea_server.why_not():
        pytest.skip(reason)
    with gitea_server.running() as started:
        yield started


@pytest.fixture
def server(gitea: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """With a private repository of the test's own, whose main has an unreleased overlay; the environment names it."""
    server = replace(gitea, name=f"r{secrets.token_hex(4)}")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.ask("POST", "/user/repos", {"name": server.name, "private": True, "default_branch": "main"})
    work = tmp_path / "work"
    (work / PATH).parent.mkdir(parents=True)
    (work / PATH).write_text(render_release(unreleased("iris")), encoding="utf-8")
    for command in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=work, check=True)
    with open_store(work) as store:
        there = Store(store.folder, server.repository)
        there.publish([("refs/heads/main", None, store.resolve("refs/heads/main"))])
    # Gitea learns of a first push in the background; to it an empty repository has no pull requests (404)
    deadline = time.monotonic() + 30
    while server.ask("GET", "")["empty"]:
        assert time.monotonic() < deadline, "Gitea still takes the repository for empty, 30 s after the push"
        time.sleep(0.05)
    return server


@pytest.fixture
def repo(server: Server) -> str:
    return server.repository


def proposed(repo: str, version: int, *, draft: bool = False, body: str = "# Report\n\n| a | b |") -> Proposal:
    with open_store(repo) as store:
        commit = store.resolve("refs/heads/main") or ""
    release = Release("this-machine", "iris", str(version), "file:///b", f"sha256:{version}" + "0" * 63, "r", commit)
    branch = f"propose/staging/iris/{version}"
    return open_proposal(
        repo, branch, "main", {PATH: render_release(release)}, f"release: iris {version} to staging", body, draft
    )


def newest(repo: str, proposal: Proposal) -> PullRequest:
    forge = connect(repo)
    found = forge.newest(proposal.branch, "main") if forge else None
    assert found is not None
    return found


def test_proposal_is_opened_once_with_its_report(repo: str, server: Server) -> None:
    proposal = proposed(repo, 1)
    pages = {open_pull_request(proposal) for _ in range(2)}
    assert len(pages) == 1
    found = newest(repo, proposal)
    assert (found.fate, found.title, found.body, found.draft, found.commit, found.url) == (
        Fate.OPEN, "release: iris 1 to staging", "# Report\n\n| a | b |", False, proposal.commit, *pages,
    )  # fmt: skip
    assert len(server.ask("GET", "pulls?state=all")) == 1


def test_inconclusive_proposal_is_a_draft_that_the_button_refuses(repo: str, server: Server) -> None:
    proposal = proposed(repo, 1, draft=True)
    open_pull_request(proposal)
    (found,) = server.ask("GET", "pulls?state=open")
    assert found["draft"]
    assert newest(repo, proposal).draft
    with pytest.raises(OSError, match="405"):
        server.ask("POST", f"pulls/{found['number']}/merge", {"Do": "merge"})


def test_report_that_changed_is_changed_there(repo: str) -> None:
    open_pull_request(proposed(repo, 1, draft=True))
    proposal = proposed(repo, 1, body="decided")
    open_pull_request(proposal)
    assert (newest(repo, proposal).body, newest(repo, proposal).draft) == ("decided", False)


def test_superseded_one_is_closed_and_says_by_whom(repo: str, server: Server) -> None:
    first = proposed(repo, 1)
    open_pull_request(first)
    second = proposed(repo, 2)
    assert second.superseded == (first.branch,)
    for _ in range(2):
        open_pull_request(second)
    assert (newest(repo, first).fate, newest(repo, second).fate) == (Fate.CLOSED, Fate.OPEN)
    comments = [each["body"] for each in server.ask("GET", f"issues/{newest(repo, first).number}/comments")]
    assert comments == [f"Superseded by `{second.branch}`."]


@pytest.mark.parametrize("delete", [True, False], ids=["branch deleted", "branch kept"])
@pytest.mark.parametrize("way", ["merge", "squash", "rebase-merge"])
def test_what_the_button_merged_is_no_longer_proposed(repo: str, server: Server, way: str, delete: bool) -> None:
    proposal = proposed(repo, 1)
    open_pull_request(proposal)
    number = newest(repo, proposal).number
    server.ask("POST", f"pulls/{number}/merge", {"Do": way, "delete_branch_after_merge": delete})
    assert open_proposals(repo) == []
    assert newest(repo, proposal).fate is Fate.MERGED
    open_pull_request(proposal)
    assert len(server.ask("GET", "pulls?state=all")) == 1, "a merged one is not asked about again"
    second = proposed(repo, 2)
    assert (open_pull_request(second) != "", second.superseded) == (True, ())


def test_one_that_a_person_closed_stays_closed(repo: str, server: Server) -> None:
    proposal = proposed(repo, 1)
    page = open_pull_request(proposal)
    server.ask("PATCH", f"pulls/{newest(repo, proposal).number}", {"state": "closed"})
    assert open_pull_request(proposal) == page
    assert newest(repo, proposal).fate is Fate.CLOSED


def test_refusal_has_the_forges_words_and_never_the_token(
    repo: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = proposed(repo, 1)
    monkeypatch.setenv("MAINLINE_FORGE_TOKEN", "0" * 40)
    with pytest.raises(ForgeFailed, match="401") as refused:
        open_pull_request(proposal)
    assert "0" * 40 not in str(refused.value)
    with pytest.raises(GitFailed) as unread:
        proposed(repo, 2)
    assert "0" * 40 not in str(unread.value)


def test_without_a_forge_the_branch_is_all(repo: str) -> None:
    proposal = proposed(repo, 1)
    assert open_pull_request(proposal, environ={}) == ""


def test_api_that_is_not_spoken_is_refused(repo: str) -> None:
    environ = {
        "MAINLINE_FORGE_API": "https://api.example.org",
        "MAINLINE_FORGE_TOKEN": "t",
        "MAINLINE_FORGE_USERNAME": "u",
    }
    with pytest.raises(ConfigError, match="must be a Gitea's"):
        connect(repo, environ)
    with pytest.raises(ConfigError, match="MAINLINE_FORGE_TOKEN: got nothing"):
        connect(repo, environ | {"MAINLINE_FORGE_TOKEN": ""})
