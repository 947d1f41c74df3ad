import shutil
from pathlib import Path

import pytest

from models.errors import ConfigError
from models.release import read_release
from pipelines.cluster.seed_commit import seed, with_component
from pipelines.tools import ROOT

SERVING = f"registry.example.org/serving@sha256:{'a' * 64}"
OVERLAY = "kind: Kustomization\nresources:\n  - release.yaml\ncomponents:\n  - ../../../components/canary\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "kustomize" / "overlays", tmp_path / "kustomize" / "overlays")
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def test_every_release_names_the_image_and_stays_unreleased(tree: Path) -> None:
    seed(tree, serving=SERVING, keda=True)
    found = [read_release(path) for path in tree.glob("kustomize/overlays/*/*/release.yaml")]
    assert len(found) == 8
    assert {each.image for each in found} == {SERVING}
    assert not any(each.is_released for each in found)


def test_the_rehearsal_is_the_last_component_of_every_overlay(tree: Path) -> None:
    seed(tree, serving=SERVING, keda=True)
    for path in tree.glob("kustomize/overlays/*/*/kustomization.yaml"):
        components = path.read_text().partition("components:\n")[2]
        assert [line for line in components.splitlines() if line.startswith("  - ")][-1].endswith("/rehearsal")


def test_without_keda_production_has_a_fixed_size_and_the_message_says_so(tree: Path) -> None:
    assert "KEDA" in seed(tree, serving=SERVING, keda=False)
    for path in tree.glob("kustomize/overlays/*/*/kustomization.yaml"):
        production = path.parent.parent.name == "production"
        assert ("components/fixed-size\n" in path.read_text()) == production


def test_the_message_says_that_rollouts_are_shorter_than_in_production(tree: Path) -> None:
    assert "same thresholds" in seed(tree, serving=SERVING, keda=True)


def test_a_component_is_added_once_and_after_the_others() -> None:
    once = with_component(OVERLAY, "rehearsal", at="here")
    assert once == OVERLAY + "  - ../../../components/rehearsal\n"
    assert with_component(once, "rehearsal", at="here") == once


def test_lines_after_the_components_stay_where_they_are() -> None:
    changed = with_component(f"{OVERLAY}patches: []\n", "rehearsal", at="here")
    assert changed.endswith("components/rehearsal\npatches: []\n")


def test_an_overlay_without_components_is_refused() -> None:
    with pytest.raises(ConfigError, match="here: components: not found"):
        with_component("kind: Kustomization\n", "rehearsal", at="here")
