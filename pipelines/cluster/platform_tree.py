"""A copy of the platform's manifests as one installation needs them: images by digest, upstream's folders.

The tree in git says `unset` for images, since nobody knows the digest of an image before it is pushed, and never learns
it: what an installation fills in stays in the copy.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from models.errors import ConfigError
from pipelines.build import BY_DIGEST, build_folder
from pipelines.cluster.upstream import localised, references

ENVIRONMENTS = ("development", "production")
IMAGES = ("trainer", "trainer-gpu", "mlflow", "judge")
_UNSET = re.compile(r'^  ([a-z-]+): "unset"$', re.MULTILINE)
_PARTS = ("manifests", "kustomize/platform", "kustomize/components")


def build_platform(
    root: Path,
    scratch: Path,
    environment: str,
    *,
    images: Mapping[str, str],
    folder_of: Callable[[str, str], Path] | None = None,
) -> str:
    """The platform's objects, as YAML.

    Args:
        scratch: an empty folder for the copy.
        images: `trainer`, `mlflow`, `judge` and, where a model needs torch, `trainer-gpu`, each by digest.
        folder_of: the folder of a Go module at a version, where upstream's manifests come from modules; else from git.

    Raises:
        ConfigError: no such environment, an image is missing or not by digest, or Kustomize refuses the tree.
    """
    if environment not in ENVIRONMENTS:
        raise ConfigError([f"platform: got {environment!r}, must be one of {', '.join(ENVIRONMENTS)}"])
    copy(root, scratch)
    folder = f"kustomize/platform/{environment}"
    platform = scratch / folder / "platform.yaml"
    platform.write_text(with_images(platform.read_text(encoding="utf-8"), images), encoding="utf-8")
    if folder_of is not None:
        localise(scratch, folder, folder_of)
    return build_folder(scratch, folder)


def copy(root: Path, scratch: Path) -> None:
    """What the platform's kustomizations read, under `scratch`."""
    for part in _PARTS:
        shutil.copytree(root / part, scratch / part, ignore=shutil.ignore_patterns("__pycache__"))


def localise(scratch: Path, folder: str, folder_of: Callable[[str, str], Path]) -> None:
    """Turns every upstream reference that a folder of the copy reaches into a path.

    What the folder does not reach stays: its modules need not be had.
    """
    seen: set[Path] = set()
    waiting = [(scratch / folder).resolve()]
    while waiting:
        place = waiting.pop()
        path = place / "kustomization.yaml"
        if place in seen or not path.is_file():
            continue
        seen.add(place)
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
        for entry in [*document.get("resources", []), *document.get("components", [])]:
            waiting.append((place / str(entry)).resolve())
        if any(references(text)):
            path.write_text(localised(text, place, folder_of), encoding="utf-8")


def with_images(platform: str, images: Mapping[str, str]) -> str:
    """platform.yaml with the images filled in that it leaves unset.

    Raises:
        ConfigError: one is missing or not pinned by digest, or an address is one that only its owner knows.
    """
    wanted = {"trainer-gpu": images.get("trainer", ""), **images}
    problems = []
    for name in IMAGES:
        line = re.compile(rf'^  {name}: "unset"$', re.MULTILINE)
        if not line.search(platform):
            continue  # somebody wrote one into git
        image = wanted.get(name, "")
        if not BY_DIGEST.fullmatch(image):
            problems.append(
                f"image {name}: got {image or 'nothing'!r}, must be NAME@sha256:<64 hex>: run `make images`"
            )
        platform = line.sub(f'  {name}: "{image}"', platform)
    problems += [
        f"platform.yaml: {name}: unset, write yours" for name in _UNSET.findall(platform) if name not in IMAGES
    ]
    if problems:
        raise ConfigError(problems)
    return platform
