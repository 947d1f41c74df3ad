"""Promotion in a real bare repository and a real registry; an aborted version does not slip back."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ConfigError, GateClosed
from models.release import Release, read_release, release_path, render_release, unreleased
from pipelines import tracking
from pipelines.errors import RunNotFound
from pipelines.forge import State, merge
from pipelines.promote import promote
from pipelines.standing import Ending, Standing, record, refuse_aborted, standings

GRACE = "Grace Approver <grace@example.org>"
STAGING, PRODUCTION = (release_path(environment, "iris") for environment in ("staging", "production"))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def work(tmp_path: Path, store: str) -> Path:
    """A clone of a bare origin in which nothing is released yet."""
    folder = tmp_path / "work"
    for path in (STAGING, PRODUCTION):
        file = folder / path
        file.parent.mkdir(parents=True)
        file.write_text(render_release(unreleased("iris")), encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "start")
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(tmp_path / "origin.git"))
    git(folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    return folder


@pytest.fixture
def origin(work: Path) -> Path:
    return work.parent / "origin.git"


def registered(version: int) -> Release:
    """A version that the registry knows."""
    digest = f"sha256:{version}" + "0" * 63
    found = tracking.register_version("iris", run_id="0" * 32, uri="file:///bundle", digest=digest, tags={})
    assert found.number == str(version)
    return Release("this-machine", "iris", str(version), "file:///bundle", digest, "0" * 32, "a" * 40)


def stage(work: Path, release: Release) -> None:
    """Staging runs a release."""
    git(work, "pull", "-q", "--ff-only", "origin", "main")
    (work / STAGING).write_text(render_release(release), encoding="utf-8")
    git(work, "commit", "-qam", f"staging runs {release.version}")
    git(work, "push", "-q", "origin", "main")


def running(origin: Path) -> Release:
    """What production runs, as main says."""
    return read_release(git(origin, "show", f"main:{PRODUCTION}") + "\n")


def test_promotion_copies_the_file_and_refuses_where_there_is_nothing_to_do(work: Path, origin: Path) -> None:
    with pytest.raises(GateClosed, match="nothing is released to staging"):
        promote(origin, "iris")
    stage(work, registered(1))
    proposal = promote(origin, "iris")
    assert proposal.branch == "propose/production/iris/1"
    assert promote(origin, "iris").commit == proposal.commit
    merge(origin, proposal.branch, GRACE)
    assert git(origin, "show", f"main:{STAGING}") == git(origin, "show", f"main:{PRODUCTION}")
    with pytest.raises(GateClosed, match="already runs version 1"):
        promote(origin, "iris")
    with pytest.raises(ConfigError, match="must be 'production'"):
        promote(origin, "iris", "stagin")
    with pytest.raises(ConfigError, match="is 'digits' a model there"):
        promote(origin, "digits")


def test_promotion_may_go_back_to_an_older_version(work: Path, origin: Path) -> None:
    first, second = registered(1), registered(2)
    for release in (first, second):
        stage(work, release)
        merge(origin, promote(origin, "iris").branch, GRACE)
    stage(work, replace(first, commit="b" * 40))
    assert promote(origin, "iris").state is State.OPEN


def test_what_the_registry_does_not_know_is_not_promoted(work: Path, origin: Path) -> None:
    release = registered(1)
    stage(work, replace(release, version="2"))
    with pytest.raises(GateClosed, match=r"iris version 2 .*is not registered"):
        promote(origin, "iris")
    stage(work, replace(release, digest="sha256:" + "f" * 64))
    with pytest.raises(GateClosed, match="is registered with digest sha256:1000"):
        promote(origin, "iris")


def test_an_aborted_version_is_not_promoted_again_but_by_another_attempt(work: Path, origin: Path) -> None:
    stage(work, registered(1))
    merge(origin, promote(origin, "iris").branch, GRACE)
    stage(work, registered(2))
    merge(origin, promote(origin, "iris").branch, GRACE)
    record("iris", "2", "production", Ending.ABORTED, attempt=1, reason="latency: p99 0.31 s, must be at most 0.1")
    stage(work, registered(3))
    merge(origin, promote(origin, "iris").branch, GRACE)

    stage(work, tracked := replace(running(origin), version="2", digest="sha256:2" + "0" * 63))
    with pytest.raises(GateClosed, match=r"latency: p99 0.31 s.*skip every gate.*attempt 2"):
        promote(origin, "iris")
    proposal = promote(origin, "iris", again=True)
    merge(origin, proposal.branch, GRACE)
    assert running(origin) == replace(tracked, attempt="2")

    record("iris", "2", "production", Ending.ABORTED, attempt=2, reason="latency")
    with pytest.raises(GateClosed, match="attempt 3"):
        refuse_aborted(running(origin), "production")
    record("iris", "2", "production", Ending.COMPLETED, attempt=3)
    refuse_aborted(replace(running(origin), attempt="3"), "production")
    for attempt in ("1", "2"):  # an aborted attempt stays one, whatever came of a later
        with pytest.raises(GateClosed, match="attempt 4"):
            refuse_aborted(replace(running(origin), attempt=attempt), "production")


def test_only_what_was_aborted_is_tried_again(work: Path, origin: Path) -> None:
    stage(work, registered(1))
    with pytest.raises(ConfigError, match="was not there yet in production"):
        promote(origin, "iris", again=True)
    record("iris", "1", "production", Ending.COMPLETED, attempt=1)
    with pytest.raises(ConfigError, match="was completed in production"):
        promote(origin, "iris", again=True)


def test_an_abort_in_staging_says_nothing_of_production(work: Path) -> None:
    release = registered(1)
    record("iris", "1", "staging", Ending.ABORTED, attempt=1, reason="errors")
    refuse_aborted(release, "production")
    with pytest.raises(GateClosed, match="in staging"):
        refuse_aborted(release, "staging")


def test_record_names_every_problem_and_replaces_what_was_noted(store: str) -> None:
    release = registered(1)
    assert standings(release, "production") == []
    with pytest.raises(ConfigError) as refused:
        record("iris", "1", "produktion", Ending.ABORTED, attempt=0, reason=" ")
    assert [line.split(":")[0] for line in refused.value.problems] == ["env", "attempt", "reason"]
    with pytest.raises(RunNotFound, match="iris version 9"):
        record("iris", "9", "production", Ending.COMPLETED, attempt=1)
    first = record("iris", "1", "production", Ending.ABORTED, attempt=1, reason="errors")
    assert standings(release, "production") == [first]
    second = record("iris", "1", "production", Ending.COMPLETED, attempt=1)
    assert standings(release, "production") == [second] == [Standing(Ending.COMPLETED, 1, "", second.at)]


def test_a_damaged_note_is_no_pass(store: str) -> None:
    release = registered(1)
    tracking.tag_version("iris", "1", {"mainline.rollout.production": '{"ending": "finished"}'})
    with pytest.raises(ConfigError, match="must be what `mainline record` writes"):
        refuse_aborted(release, "production")
