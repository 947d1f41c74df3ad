"""Another serving image is proposed in a real bare repository: one file, two lines, and an attempt of its own."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ConfigError, GateClosed
from models.release import Release, read_release, release_path, render_release, unreleased
from pipelines import tracking
from pipelines.forge import branch_name, merge, open_proposal, open_proposals
from pipelines.image_proposal import propose_image, running
from pipelines.standing import Ending, record, refuse_aborted

GRACE = "Grace Approver <grace@example.org>"
OLD, NEW, NEWER = (f"registry.example.org/serving@sha256:{digit * 64}" for digit in "123")
STAGING = release_path("staging", "iris")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def released(store: str) -> Release:
    """Version 1 of iris, which the registry knows."""
    digest = "sha256:" + "a" * 64
    tracking.register_version("iris", run_id="0" * 32, uri="file:///bundle", digest=digest, tags={})
    return Release(OLD, "iris", "1", "file:///bundle", digest, "0" * 32, "a" * 40)


@pytest.fixture
def origin(tmp_path: Path, released: Release) -> Path:
    """A bare repository in which staging runs iris 1, and nothing runs property."""
    folder = tmp_path / "work"
    for path, release in ((STAGING, released), (release_path("staging", "property"), unreleased("property"))):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(render_release(release), encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "start")
    git(tmp_path, "clone", "-q", "--bare", str(folder), "origin.git")
    return tmp_path / "origin.git"


def on_main(origin: Path) -> Release:
    return read_release(git(origin, "show", f"main:{STAGING}") + "\n")


def test_a_new_image_changes_two_lines_of_one_file(origin: Path, released: Release) -> None:
    proposal = propose_image(origin, "iris", "staging", NEW)
    assert (proposal.branch, proposal.state) == ("propose/staging/iris/1", "open")
    assert git(origin, "diff", "--numstat", "main", proposal.branch).split() == ["2", "2", STAGING]
    assert f"| image | `{OLD}` | `{NEW}` | changes |" in proposal.body
    assert propose_image(origin, "iris", "staging", NEW).commit == proposal.commit
    merge(origin, proposal.branch, GRACE)
    assert on_main(origin) == replace(released, image=NEW, attempt="2")
    with pytest.raises(GateClosed, match="already runs"):
        propose_image(origin, "iris", "staging", NEW)


def test_a_newer_image_takes_the_place_of_the_proposed_one(origin: Path) -> None:
    first = propose_image(origin, "iris", "staging", NEW)
    second = propose_image(origin, "iris", "staging", NEWER)
    assert first.branch == second.branch
    merge(origin, second.branch, GRACE)
    assert (on_main(origin).image, on_main(origin).attempt) == (NEWER, "2")


def test_an_open_proposal_of_a_version_is_not_closed(origin: Path, released: Release) -> None:
    following = replace(released, version="2", digest="sha256:" + "b" * 64)
    branch = branch_name("staging", "iris", "2")
    open_proposal(origin, branch, "main", {STAGING: render_release(following)}, "release", "report")
    with pytest.raises(GateClosed, match=r"propose/staging/iris/2: is open and changes .* merge or close it first"):
        propose_image(origin, "iris", "staging", NEW)
    assert [each.branch for each in open_proposals(origin)] == [branch]


def test_an_aborted_image_is_refused_and_the_former_one_may_come_back(origin: Path, released: Release) -> None:
    record("iris", "1", "staging", Ending.COMPLETED, attempt=1)
    merge(origin, propose_image(origin, "iris", "staging", NEW).branch, GRACE)
    record("iris", "1", "staging", Ending.ABORTED, attempt=2, reason="latency: p99 0.31 s")
    with pytest.raises(GateClosed, match="latency"):
        refuse_aborted(on_main(origin), "staging")
    with pytest.raises(GateClosed, match="latency"):  # git still says what was aborted
        propose_image(origin, "iris", "staging", NEWER)
    refuse_aborted(released, "staging")


def test_an_aborted_image_gets_an_attempt_that_was_never_used(origin: Path) -> None:
    record("iris", "1", "staging", Ending.COMPLETED, attempt=1)
    record("iris", "1", "staging", Ending.ABORTED, attempt=2, reason="latency")
    merge(origin, propose_image(origin, "iris", "staging", NEWER).branch, GRACE)
    assert on_main(origin).attempt == "3"


def test_what_is_not_there_is_told(origin: Path) -> None:
    assert running(origin, "staging") == ["iris"]
    with pytest.raises(GateClosed, match="nothing is released to staging"):
        propose_image(origin, "property", "staging", NEW)
    with pytest.raises(ConfigError, match="is 'digits' a model in staging"):
        propose_image(origin, "digits", "staging", NEW)
    with pytest.raises(ConfigError, match="must be one of staging, production"):
        running(origin, "stagin")
    with pytest.raises(ConfigError, match="must be NAME@sha256"):
        propose_image(origin, "iris", "staging", "serving:latest")
