import re
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.cluster.platform_tree import build_platform, localise, with_images
from pipelines.tools import ROOT

DIGEST = f"sha256:{'a' * 64}"
PLATFORM = 'data:\n  trainer: "unset"\n  trainer-gpu: "unset"\n  mlflow: "unset"\n  judge: "unset"\n'
IMAGES = {name: f"registry.example.org/{name}@{DIGEST}" for name in ("trainer", "mlflow", "judge")}


def test_images_are_filled_in_and_the_gpus_trainer_is_the_other_where_there_is_none() -> None:
    filled = with_images(PLATFORM, IMAGES)
    assert re.findall(r'^  ([a-z-]+): "(?:[^"]*/)?([a-z-]+)@', filled, re.MULTILINE) == [
        ("trainer", "trainer"),
        ("trainer-gpu", "trainer"),
        ("mlflow", "mlflow"),
        ("judge", "judge"),
    ]


def test_what_somebody_wrote_into_git_stays() -> None:
    written = PLATFORM.replace('judge: "unset"', f'judge: "ghcr.io/you/judge@{DIGEST}"')
    assert "ghcr.io/you/judge" in with_images(written, IMAGES)


def test_missing_and_moving_images_and_unset_addresses_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        with_images(f'{PLATFORM}  repository: "unset"\n', {"trainer": IMAGES["trainer"], "mlflow": "mlflow:latest"})
    assert [line.split(",")[0].split(": got")[0] for line in caught.value.problems] == [
        "image mlflow",
        "image judge",
        "platform.yaml: repository: unset",
    ]


def test_only_what_a_folder_reaches_is_fetched(tmp_path: Path) -> None:
    reference = "https://github.com/argoproj/argo-rollouts//manifests?ref=v1.10.0"
    for name, resources in (("top", ["../near"]), ("near", [reference]), ("far", [reference])):
        (tmp_path / name).mkdir()
        listed = "".join(f"  - {each}\n" for each in resources)
        (tmp_path / name / "kustomization.yaml").write_text(f"resources:\n{listed}")
    (tmp_path / "module" / "manifests").mkdir(parents=True)
    localise(tmp_path, "top", lambda *_: tmp_path / "module")
    assert "../module/manifests" in (tmp_path / "near" / "kustomization.yaml").read_text()
    assert reference in (tmp_path / "far" / "kustomization.yaml").read_text()


def test_an_environment_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="development, production"):
        build_platform(ROOT, tmp_path / "tree", "staging", images=IMAGES)
