"""Everything of this checkout that a cluster is ever given, built as it is for one, by a name for each."""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.release import release_path, render_release
from pipelines.build import build_folder, build_overlay, objects
from pipelines.cluster.optional import PARTS, build_part
from pipelines.cluster.platform_tree import ENVIRONMENTS, build_platform
from pipelines.cluster.upstream import module_folder
from pipelines.deploying import deployed
from pipelines.tools import ROOT
from tests.kustomize.conftest import OVERLAYS, copy_tree, released
from tests.kustomize.test_live_quality import QUALITY

Object = Mapping[str, Any]
IMAGES = {name: f"registry.example.org/{name}@sha256:{'a' * 64}" for name in ("trainer", "mlflow", "judge")}
# A platform of one's own names the repository that only its owner knows.
REPOSITORY = 'repository: "unset"', "repository: https://forge.example.org/mainline.git"
# Upstream's manifests come from Go modules where there is Go, else from git.
folder_of = module_folder if shutil.which("go") else None


@dataclass(frozen=True)
class Source:
    """A name, and what makes its objects in an empty folder."""

    name: str
    make: Callable[[Path], Sequence[Object]]

    def __str__(self) -> str:
        return self.name


def sources() -> list[Source]:
    """All of them: overlays with each component that may be laid over them, workflows, the platform and its parts."""
    found = [_overlay(*each) for each in OVERLAYS]
    found += [_overlay(*each, over="rehearsal") for each in OVERLAYS]
    production = [each for each in OVERLAYS if each[0] == "production"]
    found += [_overlay(*each, over="fixed-size") for each in production if _autoscaled(each)]
    found += [_overlay(*each, over="live-quality") for each in production if each[1] in ("iris", "property")]
    found += [_overlay(*each, over="traffic-traefik") for each in OVERLAYS if each[1] == "iris"]
    found += [Source(f"manifests {name}", _folder(f"manifests/{name}")) for name in ("workflows", "delivery")]
    found += [Source(f"platform {name}", _platform(name)) for name in ENVIRONMENTS]
    return found + [Source(f"part {name}", _part(name)) for name in PARTS]


def part_kinds() -> list[Object]:
    """The definitions that the platform's optional parts bring along."""
    built = [each for part in PARTS for each in build_part(ROOT, part, folder_of=folder_of)]
    return [each for each in built if each["kind"] == "CustomResourceDefinition"]


def _autoscaled(overlay: tuple[str, str]) -> bool:
    return "components/autoscaling" in _kustomization(ROOT, *overlay).read_text(encoding="utf-8")


def _kustomization(root: Path, environment: str, model: str) -> Path:
    return root / "kustomize" / "overlays" / environment / model / "kustomization.yaml"


def _overlay(environment: str, model: str, *, over: str = "") -> Source:
    """A released overlay as `python -m pipelines.build --cluster` prints it, with a component laid over it."""

    def make(folder: Path) -> Sequence[Object]:
        root = copy_tree(folder / "tree")
        (root / release_path(environment, model)).write_text(render_release(released(model)), encoding="utf-8")
        if over:
            _lay(root, environment, model, over)
        for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "release"]):
            subprocess.run(["git", "-C", str(root), *command], check=True)
        built = build_overlay(root, environment, model)
        return objects(deployed(objects(built), root, environment, model))

    return Source(f"{environment} {model}" + (f" with {over}" if over else ""), make)


def _lay(root: Path, environment: str, model: str, component: str) -> None:
    path = _kustomization(root, environment, model)
    text, line = path.read_text(encoding="utf-8"), f"  - ../../../components/{component}\n"
    # What routes a canary stands behind it; the others come last.
    canary = "  - ../../../components/canary\n"
    text = text.replace(canary, canary + line) if component == "traffic-traefik" else text.rstrip("\n") + "\n" + line
    path.write_text(text, encoding="utf-8")
    if component == "live-quality":
        gates = root / "models" / model / "gates.yaml"
        known = gates.read_text(encoding="utf-8")
        gates.write_text(known.replace("  online:\n", f"  online:\n{QUALITY}"), encoding="utf-8")


def _folder(name: str) -> Callable[[Path], Sequence[Object]]:
    return lambda _: objects(build_folder(ROOT, name))


def _platform(environment: str) -> Callable[[Path], Sequence[Object]]:
    def make(folder: Path) -> Sequence[Object]:
        own = folder / "own"
        for name in ("manifests", "kustomize"):
            shutil.copytree(ROOT / name, own / name, ignore=shutil.ignore_patterns("__pycache__"))
        path = own / "kustomize" / "platform" / environment / "platform.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace(*REPOSITORY), encoding="utf-8")
        built = build_platform(own, folder / "scratch", environment, images=IMAGES, folder_of=folder_of)
        return _own(list(yaml.load_all(built, Loader=yaml.CSafeLoader)))

    return make


def _part(name: str) -> Callable[[Path], Sequence[Object]]:
    return lambda _: _own(build_part(ROOT, name, folder_of=folder_of))


def _own(built: Sequence[Object]) -> list[Object]:
    """Without upstream's definitions of kinds, by which the others are judged."""
    return [each for each in built if each and each["kind"] != "CustomResourceDefinition"]
