"""Where the texts come from: files, folders, standard input, overlays that Kustomize builds."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.errors import ConfigError
from pipelines import tools

_SUFFIXES = (".yaml", ".yml", ".json")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# Folders that hold no manifests of their own.
_APART = frozenset(("node_modules", "vendor", "build", "__pycache__"))
# A manifest is small; what is larger is a dump or a data set.
_MOST_BYTES = 8_000_000


def texts(paths: Sequence[Path]) -> tuple[dict[str, str], list[str]]:
    """The texts of files and folders by name, and the names of those that are no text; `-` is standard input.

    Raises:
        ConfigError: a path does not exist; all of them are named.
    """
    missing = [f"{path}: no such file or folder" for path in paths if str(path) != "-" and not path.exists()]
    if missing:
        raise ConfigError(missing)
    found: dict[str, str] = {}
    unreadable = []
    for path in paths:
        if str(path) == "-":
            found["-"] = sys.stdin.read()
            continue
        for file in _files(path):
            try:
                if file.stat().st_size > _MOST_BYTES:
                    unreadable.append(f"{file}:1: larger than {_MOST_BYTES} bytes")
                    continue
                found[str(file)] = file.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as err:
                unreadable.append(f"{file}:1: {err}")
    return found, unreadable


def kustomizations(root: Path) -> list[Path]:
    """The folders under `kustomize/overlays` of a checkout that Kustomize builds."""
    return sorted(path.parent for path in (root / "kustomize" / "overlays").rglob("kustomization.yaml"))


def committed(root: Path) -> dict[str, str]:
    """The YAML of a checkout from which overlays are built, by its path in the checkout."""
    found, _ = texts([root / folder for folder in ("manifests", "kustomize", "models") if (root / folder).is_dir()])
    return {str(Path(file).relative_to(root)): text for file, text in found.items()}


def is_kustomization(path: Path) -> bool:
    """Whether a folder is one that Kustomize builds."""
    return any((path / name).is_file() for name in _KUSTOMIZATIONS)


def built(root: Path, folder: Path) -> str:
    """The objects of a folder as Kustomize builds them.

    Raises:
        ConfigError: Kustomize refuses the folder.
        ToolMissing: there is no Kustomize.
    """
    done = subprocess.run([*tools.kustomize(root), "build", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigError([f"{folder}: does not build: {done.stderr.strip()}"])
    return done.stdout


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for below in sorted(path.iterdir()):
        if below.is_symlink() or below.name.startswith(".") or below.name in _APART:
            continue
        if below.is_dir():
            yield from _files(below)
        elif below.suffix in _SUFFIXES:
            yield below
