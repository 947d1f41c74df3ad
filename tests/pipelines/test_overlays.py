"""A new model's overlays start with the serving image that its neighbours run."""

from dataclasses import replace
from pathlib import Path

from models.release import read_release, release_path, render_release, unreleased
from pipelines.overlays import images, kustomize_files

ONE, OTHER = (f"registry.example.org/serving@sha256:{digit * 64}" for digit in "12")


def put(root: Path, environment: str, model: str, image: str) -> None:
    path = root / release_path(environment, model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_release(replace(unreleased(model), image=image)), encoding="utf-8")


def test_image_that_all_neighbours_have_is_taken_and_no_other(tmp_path: Path) -> None:
    assert images(tmp_path, besides="cars") == {}
    for model in ("iris", "digits"):
        put(tmp_path, "staging", model, ONE)
    put(tmp_path, "staging", "cars", "this-machine")  # what an interrupted try left
    put(tmp_path, "production", "iris", ONE)
    put(tmp_path, "production", "digits", OTHER)
    found = images(tmp_path, besides="cars")
    assert found == {"staging": ONE}
    files = kustomize_files("cars", found)
    staging, production = (read_release(files[release_path(name, "cars")]) for name in ("staging", "production"))
    assert (staging.image, production.image) == (ONE, "this-machine")
    assert not staging.is_released
