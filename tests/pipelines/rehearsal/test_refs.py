"""Which two states of git are rehearsed when a person says little, and what is built of each."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ConfigError
from models.release import render_release
from pipelines.rehearsal import refs
from pipelines.rehearsal.revisions import changes, containers, revisions, rollback_window, strategy
from pipelines.rehearsal.scene import Scene
from pipelines.rehearsal.script import Script
from tests.pipelines.rehearsal.repository import ENVIRONMENT, MODEL, PATH, Repository, release


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rehearsed") / "repository"
    root.mkdir()
    Repository(root)
    return root


@pytest.fixture
def repository(made: Path, tmp_path: Path) -> Repository:
    shutil.copytree(made, tmp_path / "repository")
    return Repository.at(tmp_path / "repository")


def test_one_open_proposal_is_rehearsed_against_main(repository: Repository) -> None:
    proposal = repository.propose("2")
    before, after = repository.choose()
    assert (before.name, before.commit) == ("main", repository.git("rev-parse", "main"))
    assert (after.name, after.commit) == (proposal.branch, proposal.commit)


def test_two_open_proposals_need_a_choice(repository: Repository) -> None:
    repository.propose("2")
    text = render_release(release("3"))
    repository.git("branch", "propose/production/diabetes/3", "main")
    repository.git("switch", "--quiet", "propose/production/diabetes/3")
    repository.write(PATH, text)
    repository.git("commit", "--quiet", "--all", "--message", "release 3")
    repository.git("switch", "--quiet", "main")
    with pytest.raises(ConfigError, match=r"2 proposals are open .*choose one with --head"):
        repository.choose()


def test_without_a_proposal_the_files_as_they_lie_are_rehearsed(repository: Repository) -> None:
    repository.write(PATH, render_release(release("2")))
    before, after = repository.choose()
    assert (before.name, after.name) == ("main", "working tree")
    assert repository.git("show", f"{after.commit}:{PATH}") == render_release(release("2")).rstrip("\n")
    assert repository.git("status", "--porcelain") != ""  # nothing was staged or committed for it


def test_head_is_rehearsed_as_merging_it_would_leave_main(repository: Repository) -> None:
    repository.write(PATH, render_release(release("2")))
    head = repository.commit("release 2", branch="proposal")
    repository.edit("models/diabetes/gates.yaml", "min_requests: 500", "min_requests: 400")
    repository.commit("gates: fewer requests")
    _, after = repository.choose(head="proposal")
    assert after.commit == head
    assert "min_requests: 400" in repository.git("show", f"{after.tree}:models/diabetes/gates.yaml")
    assert '"2"' in repository.git("show", f"{after.tree}:{PATH}")


def test_head_that_does_not_merge_is_refused(repository: Repository) -> None:
    repository.write(PATH, render_release(release("2")))
    repository.commit("release 2", branch="proposal")
    repository.write(PATH, render_release(release("3")))
    repository.commit("release 3")
    with pytest.raises(ConfigError, match="does not merge into main"):
        repository.choose(head="proposal")


def test_head_that_main_has_already_is_refused(repository: Repository) -> None:
    older = repository.git("rev-parse", "main")
    repository.write(PATH, render_release(release("2")))
    repository.commit("release 2", branch="newer")
    with pytest.raises(ConfigError, match=r"newer has all of it.*the branch of a revert"):
        refs.choose(repository.root, MODEL, ENVIRONMENT, base="newer", head=older, repo="")


def test_unknown_ref_is_refused_with_those_there_are(repository: Repository) -> None:
    with pytest.raises(ConfigError, match="mian: no such branch or commit; there are main"):
        repository.choose(base="mian", head="main")


def test_new_release_differs_in_the_release_and_has_a_hash_of_its_own(repository: Repository, tmp_path: Path) -> None:
    repository.write(PATH, render_release(release("2")))
    repository.commit("release 2", branch="proposal")
    before, after = repository.sides(tmp_path, head="proposal")
    assert changes(before, after) == ("release 1 to 2",)
    stable, candidate = revisions(before, after)
    assert stable is not None
    assert (stable.version, candidate.version) == ("1", "2")
    assert stable.hash != candidate.hash
    assert candidate.pod.environment["MAINLINE_BUNDLE_URI"] == "file:///bundles/2"


def test_other_gates_alone_are_rehearsed_with_the_same_release(repository: Repository, tmp_path: Path) -> None:
    repository.edit("models/diabetes/gates.yaml", "max_p99_seconds: 0.1", "max_p99_seconds: 0.2")
    repository.commit("gates: more patience", branch="gates")
    before, after = repository.sides(tmp_path, head="gates")
    assert changes(before, after) == ("gates",)
    stable, candidate = revisions(before, after)
    assert stable is not None
    assert stable.digest == candidate.digest
    assert stable.hash != candidate.hash


def test_change_that_rolls_out_nothing_is_none(repository: Repository, tmp_path: Path) -> None:
    repository.write("models/diabetes/MODEL_CARD.md", "Another card.\n")
    repository.commit("card", branch="card")
    before, after = repository.sides(tmp_path, head="card")
    assert changes(before, after) == ()


def test_before_the_first_release_there_is_no_stable(repository: Repository, tmp_path: Path) -> None:
    before, after = repository.sides(tmp_path, base="main~1", head="main")
    assert revisions(before, after)[0] is None


def test_release_that_ran_lately_is_known_as_restored(repository: Repository, tmp_path: Path) -> None:
    for version in ("2", "3"):
        repository.write(PATH, render_release(release(version)))
        repository.commit(f"release {version}")
    repository.write(PATH, render_release(release("1")))
    repository.commit("back to 1", branch="back")
    before, after = repository.sides(tmp_path, head="back")
    assert rollback_window(after) == 3
    assert refs.restores(repository.root, before.ref, after, 3)
    assert not refs.restores(repository.root, before.ref, after, 1)  # 2 alone is within a window of one
    again = replace(after, release=replace(after.release, attempt="2"))
    assert not refs.restores(repository.root, before.ref, again, 3)


def test_rehearsals_component_shortens_waits_and_leaves_thresholds(repository: Repository, tmp_path: Path) -> None:
    repository.write(PATH, render_release(release("2")))
    repository.commit("release 2", branch="proposal")
    before, after = repository.sides(tmp_path, head="proposal")
    stable, candidate = revisions(before, after)
    built = refs.rehearsed(after, ENVIRONMENT, MODEL)
    with Scene(tmp_path / "work", candidate, stable) as scene:
        script = Script.of(built, scene)
        assert scene.prometheus_url == getattr(script.metrics["error-ratio"].provider, "address", "")
    assert (script.strategy, strategy(built)) == ("canary", "canary")
    metric = script.metrics["error-ratio"]
    assert "result[0] <= 0.005" in metric.success_condition
    assert metric.interval == 1.0
    assert candidate.hash in getattr(metric.provider, "query", "")


def test_tree_without_the_rehearsals_component_is_refused(repository: Repository, tmp_path: Path) -> None:
    shutil.rmtree(repository.root / refs.COMPONENT)
    repository.commit("no component", branch="old")
    _, after = repository.sides(tmp_path, head="old")
    with pytest.raises(ConfigError, match="components/rehearsal: missing"):
        refs.rehearsed(after, ENVIRONMENT, MODEL)


def test_containers_image_is_stood_for_by_this_checkout_and_named(repository: Repository, tmp_path: Path) -> None:
    image = "registry.example.org/serving@sha256:" + "a" * 64
    repository.write(PATH, render_release(replace(release("2"), image=image)))
    repository.commit("release 2", branch="proposal")
    before, after = repository.sides(tmp_path, head="proposal")
    assert containers(before, after) == (image,)
    assert revisions(before, after)[1].pod.image == "this-machine"
