"""The committed overlays, built once a session: as they are, and released in a scratch copy."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.release import Release, release_path, render_release
from pipelines.build import build_overlay, objects
from pipelines.overlays import ENVIRONMENTS
from pipelines.tools import ROOT, kustomize
from pipelines.versions import ToolMissing

MODELS = ("diabetes", "digits", "iris", "property")
OVERLAYS = [(environment, model) for environment in ENVIRONMENTS for model in MODELS]


def released(model: str, version: str = "17") -> Release:
    digit = version[-1]
    return Release(
        image=f"registry.example.org/mainline/serving@sha256:{digit * 64}",
        model=model,
        version=version,
        uri=f"s3://bundles/{model}/{version}",
        digest=f"sha256:{digit * 64}",
        run=f"run{version}",
        commit=digit * 40,
    )


def copy_tree(to: Path) -> Path:
    """A scratch tree with what Kustomize reads."""
    for folder in ("kustomize", "manifests"):
        shutil.copytree(ROOT / folder, to / folder)
    for component in ROOT.glob("models/*/kustomization.yaml"):
        target = to / "models" / component.parent.name
        target.mkdir(parents=True)
        for name in ("kustomization.yaml", "gates.yaml"):
            shutil.copy(component.parent / name, target / name)
        shutil.copytree(component.parent / "beside", target / "beside")
    shutil.copy(ROOT / "versions.env", to / "versions.env")
    return to


@pytest.fixture(scope="session")
def tool() -> None:
    try:
        kustomize(ROOT)
    except ToolMissing as err:
        pytest.skip(str(err))


@pytest.fixture(scope="session")
def build(tool: None) -> Callable[[Path, str, str], str]:
    """build_overlay, each overlay of each tree once."""
    known: dict[tuple[Path, str, str], str] = {}

    def cached(root: Path, environment: str, model: str) -> str:
        key = (root, environment, model)
        if key not in known:
            known[key] = build_overlay(*key)
        return known[key]

    return cached


@pytest.fixture(scope="session")
def read(build: Callable[[Path, str, str], str]) -> Callable[[Path, str, str], list[dict[str, Any]]]:
    """The objects of a built overlay, a test's own to change; each overlay of each tree parsed once."""
    known: dict[tuple[Path, str, str], list[dict[str, Any]]] = {}

    def cached(root: Path, environment: str, model: str) -> list[dict[str, Any]]:
        key = (root, environment, model)
        if key not in known:
            known[key] = objects(build(*key))
        return copy.deepcopy(known[key])

    return cached


@pytest.fixture(scope="session")
def released_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch copy in which every overlay runs version 17."""
    root = copy_tree(tmp_path_factory.mktemp("released"))
    for environment, model in OVERLAYS:
        (root / release_path(environment, model)).write_text(render_release(released(model)), encoding="utf-8")
    return root


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A scratch copy that a test may change."""
    return copy_tree(tmp_path / "tree")


@pytest.fixture(scope="session")
def release_of() -> Callable[..., Release]:
    return released


@pytest.fixture(params=OVERLAYS, ids=lambda overlay: "-".join(overlay))
def overlay(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each overlay as (environment, model)."""
    environment, model = request.param
    return environment, model
