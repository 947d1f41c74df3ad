from pathlib import Path

from pipelines.environments import (
    FOLDER,
    SCRAPED,
    environment_files,
    namespaces,
    stale_environments,
    with_namespaces,
    write_environments,
)
from pipelines.tools import ROOT


def overlay(root: Path, environment: str, model: str) -> Path:
    folder = root / "kustomize" / "overlays" / environment / model
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text("")
    return folder


def test_every_overlay_has_its_namespace_and_what_is_committed_is_fresh() -> None:
    assert stale_environments(ROOT) == []
    assert "iris-staging" in namespaces(ROOT)


def test_a_new_overlay_is_missed_until_it_is_rendered(tmp_path: Path) -> None:
    overlay(tmp_path, "staging", "wine")
    assert stale_environments(tmp_path) == [
        f"{FOLDER}/wine-staging/kustomization.yaml: missing",
        f"{FOLDER}/kustomization.yaml: missing",
    ]
    write_environments(tmp_path)
    assert stale_environments(tmp_path) == []
    assert "namespace: wine-staging\n" in (tmp_path / FOLDER / "wine-staging" / "kustomization.yaml").read_text()


def test_the_namespace_of_an_overlay_that_went_goes_too(tmp_path: Path) -> None:
    overlay(tmp_path, "staging", "wine")
    gone = overlay(tmp_path, "staging", "beer")
    write_environments(tmp_path)
    (gone / "kustomization.yaml").unlink()
    assert stale_environments(tmp_path) == [
        f"{FOLDER}/kustomization.yaml: differs from kustomize/overlays",
        f"{FOLDER}/beer-staging/kustomization.yaml: no overlay has it",
    ]
    write_environments(tmp_path)
    assert not (tmp_path / FOLDER / "beer-staging").exists()


def test_prometheus_looks_where_the_overlays_are_and_changes_in_nothing_else(tmp_path: Path) -> None:
    overlay(tmp_path, "staging", "wine")
    (tmp_path / SCRAPED).parent.mkdir(parents=True)
    text = (ROOT / SCRAPED).read_text(encoding="utf-8")
    (tmp_path / SCRAPED).write_text(text, encoding="utf-8")
    assert f"{SCRAPED}: names: differs from kustomize/overlays" in stale_environments(tmp_path)
    write_environments(tmp_path)
    assert stale_environments(tmp_path) == []
    changed = (tmp_path / SCRAPED).read_text(encoding="utf-8")
    assert "          names:\n            - wine-staging\n        selectors:\n" in changed
    assert with_namespaces(changed, namespaces(ROOT)) == text


def test_files_are_the_same_whatever_order_the_folders_come_in(tmp_path: Path) -> None:
    for model in ("wine", "beer"):
        overlay(tmp_path, "production", model)
    listed = environment_files(tmp_path)["kustomization.yaml"]
    assert listed.endswith("resources:\n  - beer-production\n  - wine-production\n")
