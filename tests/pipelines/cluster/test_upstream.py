from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.cluster.upstream import MODULES, localised, references
from pipelines.tools import ROOT
from pipelines.versions import read_versions

KUSTOMIZATION = """\
resources:
  - https://github.com/argoproj/argo-workflows//manifests/base/crds/full?ref=v3.7.15&timeout=5m
  - networkpolicy.yaml
"""


def test_a_reference_becomes_the_modules_folder_and_the_rest_stays(tmp_path: Path) -> None:
    module, here = tmp_path / "module", tmp_path / "tree" / "part"
    (module / "manifests/base/crds/full").mkdir(parents=True)
    asked = []

    def folder_of(name: str, version: str) -> Path:
        asked.append((name, version))
        return module

    assert localised(KUSTOMIZATION, here, folder_of) == (
        "resources:\n  - ../../module/manifests/base/crds/full\n  - networkpolicy.yaml\n"
    )
    assert asked == [("github.com/argoproj/argo-workflows/v3", "3.7.15")]


def test_a_folder_that_the_module_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"v3\.7\.15 has no manifests/base/crds/full"):
        localised(KUSTOMIZATION, tmp_path, lambda *_: tmp_path)


def test_a_file_is_copied_beside_the_kustomization_that_names_it(tmp_path: Path) -> None:
    module, here = tmp_path / "module", tmp_path / "part"
    (module / "docs").mkdir(parents=True)
    (module / "docs" / "kinds.yml").write_text("kind: CustomResourceDefinition\n")
    here.mkdir()
    text = "  - https://raw.githubusercontent.com/traefik/traefik/v3.6.6/docs/kinds.yml\n  - service.yaml\n"
    assert localised(text, here, lambda *_: module) == "  - kinds.yml\n  - service.yaml\n"
    assert (here / "kinds.yml").read_text() == "kind: CustomResourceDefinition\n"
    with pytest.raises(ConfigError, match=r"v3\.6\.6 has no docs/kinds.yml"):
        localised(text, here, lambda *_: tmp_path)


def test_a_repository_without_a_known_module_is_refused(tmp_path: Path) -> None:
    text = "https://github.com/someone/thing//deploy?ref=v1.0.0"
    with pytest.raises(ConfigError, match="no Go module is known"):
        localised(text, tmp_path, lambda *_: tmp_path)


def test_every_reference_in_git_is_the_version_of_versions_env() -> None:
    versions = read_versions(ROOT)
    wanted = {
        "argoproj/argo-workflows": versions["ARGO_WORKFLOWS_VERSION"],
        "argoproj/argo-rollouts": versions["ARGO_ROLLOUTS_VERSION"],
        "kedacore/keda": versions["KEDA_VERSION"],
        "traefik/traefik": versions["TRAEFIK_VERSION"],
    }
    found = [
        reference
        for path in sorted((ROOT / "manifests").rglob("kustomization.yaml"))
        for reference in references(path.read_text(encoding="utf-8"))
    ]
    assert {(each.repository, each.version) for each in found} == set(wanted.items())
    assert {each.repository for each in found} == set(MODULES)


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("argo-workflows/kustomization.yaml", "newTag: v{}", "ARGO_WORKFLOWS_VERSION"),
        ("argo-workflows/configmap-workflow-controller.yaml", "argoexec:v{}", "ARGO_WORKFLOWS_VERSION"),
        ("argo-rollouts/kustomization.yaml", "newTag: v{}", "ARGO_ROLLOUTS_VERSION"),
        ("store/kustomization.yaml", "newTag: v{}", "VERSITYGW_VERSION"),
        ("forge/kustomization.yaml", "newTag: {}-rootless", "GITEA_VERSION"),
        ("prometheus/kustomization.yaml", "newTag: v{}", "PROMETHEUS_VERSION"),
        ("traefik/kustomization.yaml", "newTag: v{}", "TRAEFIK_VERSION"),
        ("keda/upstream/kustomization.yaml", "newTag: {}", "KEDA_VERSION"),
    ],
)
def test_every_image_in_git_is_the_version_of_versions_env(path: str, text: str, name: str) -> None:
    written = (ROOT / "manifests" / "platform" / path).read_text(encoding="utf-8")
    assert text.format(read_versions(ROOT)[name]) in written
