"""What a pull request concerns, in real git and with real overlays; aborted releases are refused before the merge."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from models.release import Release, beside_name, beside_path, release_path, render_release
from pipelines import tracking
from pipelines.check import concerns
from pipelines.standing import Ending, record
from tests.kustomize.conftest import copy_tree

PRODUCTION = release_path("production", "iris")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path, store: str) -> Path:
    """A checkout in which production runs version 1 of iris."""
    root = copy_tree(tmp_path / "tree")
    (root / "data.dvc").write_text("", encoding="utf-8")
    (root / PRODUCTION).write_text(render_release(version(1)), encoding="utf-8")
    git(root, "init", "-q", "-b", "main")
    commit(root, "version 1")
    return root


def version(number: int) -> Release:
    digest = f"sha256:{number}" + "0" * 63
    tracking.register_version("iris", run_id="0" * 32, uri="file:///bundle", digest=digest, tags={})
    return Release("this-machine", "iris", str(number), "file:///bundle", digest, "0" * 32, "a" * 40)


def commit(root: Path, message: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


def release(root: Path, wanted: Release) -> None:
    (root / PRODUCTION).write_text(render_release(wanted), encoding="utf-8")
    commit(root, f"production runs {wanted.version}")


def edit(root: Path, path: str, old: str, new: str) -> None:
    text = (root / path).read_text(encoding="utf-8")
    assert old in text
    (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")
    commit(root, f"edit {path}")


def seen(root: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(found.environment, found.model, found.changes) for found in concerns(root, "HEAD~1", "HEAD")]


def test_a_new_release_concerns_its_overlay_alone(tree: Path) -> None:
    release(tree, version(2))
    assert seen(tree) == [("production", "iris", ("release 1 -> 2",))]


def test_a_threshold_needs_a_rehearsal_like_a_release(tree: Path) -> None:
    edit(tree, "models/iris/gates.yaml", "max_ratio_to_stable: 2.0", "max_ratio_to_stable: 9.0")
    assert seen(tree) == [("production", "iris", ("gates",))]


def test_steps_and_pod_templates_need_one_too(tree: Path) -> None:
    edit(tree, "kustomize/components/canary/strategy.yaml", "setWeight: 25", "setWeight: 75")
    assert seen(tree) == [("production", "iris", ("steps",))]
    edit(tree, "manifests/serving/rollout.yaml", "memory: 512Mi", "memory: 1Gi")
    assert seen(tree) == [("production", "iris", ("pod template",))]


def test_a_release_beside_another_model_concerns_that_ones_pods(tree: Path) -> None:
    overlay = "kustomize/overlays/production/iris/kustomization.yaml"
    beside = tree / beside_path("production", "iris", "digits")
    beside.write_text(render_release(replace(version(1), model="digits"), beside_name("digits")), encoding="utf-8")
    edit(tree, overlay, "  - release.yaml\n", "  - release.yaml\n  - release-digits.yaml\n")
    assert seen(tree) == []
    edit(tree, overlay, "models/iris\n", "models/iris\n  - ../../../../models/digits/beside\n")
    assert seen(tree) == [("production", "iris", ("pod template",))]
    beside.write_text(render_release(replace(version(2), model="digits"), beside_name("digits")), encoding="utf-8")
    commit(tree, "digits 2 beside iris")
    assert seen(tree) == [("production", "iris", ("pod template",))]
    git(tree, "revert", "--no-edit", "HEAD")
    assert seen(tree) == [("production", "iris", ("pod template",))]


def test_what_rolls_nothing_out_concerns_nothing(tree: Path) -> None:
    edit(tree, "manifests/serving/poddisruptionbudget.yaml", "maxUnavailable: 1", "maxUnavailable: 2")
    assert seen(tree) == []
    assert concerns(tree, "HEAD", "HEAD") == []


def test_an_aborted_version_does_not_slip_back_by_a_revert(tree: Path) -> None:
    """A stable, B aborted, C promoted: a revert of C restores B, whose pods `rollbackWindow` would let pass."""
    second = version(2)
    release(tree, second)
    record("iris", "2", "production", Ending.ABORTED, attempt=1, reason="input-drift: bmi moved by 0.4")
    release(tree, version(3))
    git(tree, "revert", "--no-edit", "HEAD")
    (found,) = concerns(tree, "HEAD~1", "HEAD")
    assert found.changes == ("release 3 -> 2",)
    assert "aborted" in found.refusal
    assert "input-drift: bmi moved by 0.4" in found.refusal

    release(tree, replace(second, attempt="2"))
    (again,) = concerns(tree, "HEAD~2", "HEAD")
    assert (again.changes, again.refusal) == (("release 3 -> 2",), "")
    assert [each.changes for each in concerns(tree, "HEAD~1", "HEAD")] == [("attempt 1 -> 2 of release 2",)]


def test_a_release_that_ran_before_and_of_which_nothing_is_recorded_is_warned_of(tree: Path) -> None:
    release(tree, version(2))
    git(tree, "revert", "--no-edit", "HEAD")
    (found,) = concerns(tree, "HEAD~1", "HEAD")
    assert "nobody recorded how that rollout ended" in found.warning
    record("iris", "1", "production", Ending.COMPLETED, attempt=1)
    (found,) = concerns(tree, "HEAD~1", "HEAD")
    assert (found.refusal, found.warning) == ("", "")


def test_an_aborted_release_that_main_still_names_is_not_refused_for_another_change(tree: Path) -> None:
    release(tree, version(2))
    record("iris", "2", "production", Ending.ABORTED, attempt=1, reason="latency")
    edit(tree, "manifests/serving/rollout.yaml", "memory: 512Mi", "memory: 1Gi")
    assert [found.refusal for found in concerns(tree, "HEAD~1", "HEAD")] == [""]
