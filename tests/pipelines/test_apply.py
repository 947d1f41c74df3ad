"""Applying main to a cluster: real git and overlays, a dictionary for an API server (tests/e2e has a real one)."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError, GateClosed
from models.release import Release, release_path, render_release
from pipelines import tracking
from pipelines.apply import apply_main
from pipelines.apply_result import Applied, worst
from pipelines.kube import KubeFailed
from pipelines.standing import Ending, record
from tests.kustomize.conftest import copy_tree, released
from tests.pipelines.shelf import Shelf

# each builds an overlay several times
pytestmark = pytest.mark.slow

NAMESPACE = "iris-staging"
PATH = release_path("staging", "iris")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def version(number: int, attempt: str = "1") -> Release:
    digest = f"sha256:{number}" + "0" * 63
    tracking.register_version("iris", run_id="0" * 32, uri="s3://bundle", digest=digest, tags={})
    return replace(released("iris", str(number)), digest=digest, attempt=attempt)


@pytest.fixture
def tree(tmp_path: Path, store: str) -> Path:
    """A checkout in which nothing is released."""
    root = copy_tree(tmp_path / "tree")
    for other in ("diabetes", "digits", "property"):
        for environment in ("staging", "production"):
            for file in (root / "kustomize/overlays" / environment / other).iterdir():
                file.unlink()
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


@pytest.fixture
def shelf() -> Shelf:
    found = Shelf()
    found.put({"kind": "Namespace", "metadata": {"name": NAMESPACE}})
    return found


def release(tree: Path, wanted: Release, environment: str = "staging") -> None:
    (tree / release_path(environment, "iris")).write_text(render_release(wanted), encoding="utf-8")
    git(tree, "commit", "-qam", f"{environment} runs {wanted.version}")


def applied(tree: Path, shelf: Shelf) -> Applied:
    """What became of iris in staging."""
    shelf.calls.clear()
    lines: list[str] = []
    (found,) = [e for e in apply_main(shelf.as_cluster(), str(tree), say=lines.append) if e.overlay == "staging-iris"]
    assert any(line.startswith("staging-iris: ") for line in lines)
    return found


def rollout(shelf: Shelf) -> dict[str, Any]:
    found = shelf.get(("argoproj.io/v1alpha1", "Rollout"), "serving", NAMESPACE)
    assert found is not None
    return found


def test_a_release_is_applied_once_and_what_is_not_released_is_left(tree: Path, shelf: Shelf) -> None:
    assert applied(tree, shelf) == Applied("staging-iris")
    release(tree, version(1))
    first = applied(tree, shelf)
    assert first.error is None
    assert {"Rollout serving", "Service serving-canary", "AnalysisTemplate latency"} <= set(first.changed)
    assert rollout(shelf)["metadata"]["annotations"]["mainline.dev/merge"] == "staging runs 1"
    assert applied(tree, shelf) == Applied("staging-iris")
    assert shelf.calls == []


def test_a_new_version_changes_the_rollout_alone(tree: Path, shelf: Shelf) -> None:
    release(tree, version(1))
    applied(tree, shelf)
    release(tree, version(2))
    assert applied(tree, shelf).changed == ("Rollout serving",)


def test_what_left_git_is_deleted_and_nothing_that_is_not_ours(tree: Path, shelf: Shelf) -> None:
    release(tree, version(1))
    applied(tree, shelf)
    shelf.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mine", "namespace": NAMESPACE}})
    file = tree / "manifests/serving/kustomization.yaml"
    file.write_text(file.read_text().replace("  - poddisruptionbudget.yaml\n", ""))
    git(tree, "commit", "-qam", "no budget")
    assert applied(tree, shelf).pruned == ("PodDisruptionBudget serving",)
    assert shelf.calls == ["delete PodDisruptionBudget serving"]


def test_a_namespace_that_is_not_there_is_named_with_its_remedy(tree: Path) -> None:
    release(tree, version(1))
    shelf = Shelf()
    error = applied(tree, shelf).error
    assert isinstance(error, ConfigError)
    assert "iris-staging" in str(error)
    assert "manifests/platform/environments" in str(error)
    assert shelf.calls == []


def test_an_aborted_version_is_not_rolled_out_again_and_stays_as_it_is(tree: Path, shelf: Shelf) -> None:
    release(tree, version(1))
    applied(tree, shelf)
    release(tree, version(2))
    applied(tree, shelf)
    record("iris", "2", "staging", Ending.ABORTED, attempt=1, reason="latency failed with 3.1")
    assert applied(tree, shelf) == Applied("staging-iris"), "git still says it: nothing is started and nothing is wrong"
    release(tree, version(3))
    applied(tree, shelf)
    git(tree, "revert", "--no-edit", "HEAD")
    error = applied(tree, shelf).error
    assert isinstance(error, GateClosed)
    assert "latency failed with 3.1" in str(error)
    assert shelf.calls == []
    release(tree, version(2, attempt="2"))
    assert applied(tree, shelf).changed == ("Rollout serving",)


def test_an_aborted_version_is_not_started_again_by_other_steps(tree: Path, shelf: Shelf) -> None:
    """Argo Rollouts forgets an abort where the steps change."""
    release(tree, version(1))
    applied(tree, shelf)
    record("iris", "1", "staging", Ending.ABORTED, attempt=1, reason="latency failed with 3.1")
    file = tree / "kustomize/components/canary/strategy.yaml"
    file.write_text(file.read_text().replace("setWeight: 25", "setWeight: 30"))
    git(tree, "commit", "-qam", "steps")
    assert isinstance(applied(tree, shelf).error, GateClosed)
    assert shelf.calls == []


def test_a_version_that_the_cluster_still_knows_comes_back_only_if_it_was_completed(tree: Path, shelf: Shelf) -> None:
    """Its pods would skip every gate, and an abort of which nobody heard is no note."""
    release(tree, version(1))
    applied(tree, shelf)
    live = rollout(shelf)
    live["metadata"]["uid"] = "u"
    shelf.put(live | {"status": {"stableRS": "new", "currentPodHash": "new"}})
    release(tree, version(2))
    applied(tree, shelf)
    metadata = {"name": "serving-old", "namespace": NAMESPACE, "ownerReferences": [{"uid": "u"}]}
    shelf.put({"kind": "ReplicaSet", "metadata": metadata, "spec": {"template": live["spec"]["template"]}})
    release(tree, version(1))
    error = applied(tree, shelf).error
    assert isinstance(error, GateClosed)
    assert "no rollout of it is recorded as completed" in str(error)
    record("iris", "1", "staging", Ending.COMPLETED, attempt=1)
    assert applied(tree, shelf).changed == ("Rollout serving",)


def test_a_field_that_somebody_took_is_not_forced_back(tree: Path, shelf: Shelf) -> None:
    release(tree, version(1))
    shelf.conflicts.add("Service serving")
    error = applied(tree, shelf).error
    assert isinstance(error, ConfigError)
    assert "kubectl-edit" in str(error)
    assert "by hand" in str(error)


def test_an_image_of_this_machine_is_no_cluster_s(tree: Path, shelf: Shelf) -> None:
    release(tree, replace(version(1), image="this-machine"))
    assert isinstance(applied(tree, shelf).error, GateClosed)
    assert shelf.calls == []


def test_one_overlay_s_problem_does_not_keep_another_waiting(tree: Path, shelf: Shelf) -> None:
    release(tree, version(1))
    release(tree, version(1), "production")
    found = {each.overlay: each for each in apply_main(shelf.as_cluster(), str(tree), say=lambda _: None)}
    assert found["production-iris"].error is not None
    assert found["staging-iris"].error is None


def test_what_the_last_commit_released_is_applied_first(tree: Path, shelf: Shelf) -> None:
    def order() -> list[str]:
        return [each.overlay for each in apply_main(shelf.as_cluster(), str(tree), say=lambda _: None)]

    release(tree, version(1), "production")
    assert order() == ["production-iris", "staging-iris"]
    git(tree, "checkout", "-qb", "proposal")
    release(tree, version(1))
    git(tree, "checkout", "-q", "main")
    git(tree, "merge", "-q", "--no-ff", "-m", "merge", "proposal")
    assert order() == ["staging-iris", "production-iris"]


def test_who_waited_behind_an_application_of_the_same_head_needs_none(tree: Path, shelf: Shelf) -> None:
    def asked(ago: timedelta) -> int:
        shelf.calls.clear()
        now = datetime.now(UTC)
        return len(apply_main(shelf.as_cluster(), str(tree), say=lambda _: None, asked=now - ago))

    minute = timedelta(minutes=1)
    release(tree, version(1))
    assert asked(minute) == 2
    assert asked(minute) == 0
    assert asked(timedelta(0)) == 2, "asked for after it: what was changed by hand since is to be found"
    release(tree, version(2))
    assert asked(minute) == 2
    shelf.conflicts.add("Service serving")
    assert asked(timedelta(0)) == 2
    release(tree, version(3))
    assert asked(minute) == 2
    assert asked(minute) == 2, "one that failed is none"


def test_what_may_pass_decides_the_exit_code() -> None:
    refused, passing = GateClosed("no"), KubeFailed("later")
    assert worst([Applied("a")]) is None
    assert worst([Applied("a", error=refused), Applied("b", error=passing)]) is passing
    assert worst([Applied("a", error=refused)]) is refused
