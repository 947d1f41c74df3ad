"""Where the texts come from: files, folders, standard input, overlays that Kustomize builds."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import ConfigError
from pipelines import tools

_SUFFIXES = (".yaml", ".yml", ".json")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# Folders that hold no manifests of their own.
_APART = frozenset(("node_modules", "vendor", "build", "__pycache__"))
# A manifest is small; what is larger is a dump or a data set.
_MOST_BYTES = 8_000_000


@dataclass
class Sources:
    """What was read.

    Attributes:
        texts: by the name of the file.
        unreadable: what is no manifest for it is no text or too large, as file:line: why.
        closed: files and folders that the system does not let us read, with why.
        asked: the texts of each path that was asked for, by name.
    """

    texts: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)
    asked: dict[str, list[str]] = field(default_factory=dict)


def texts(paths: Sequence[Path]) -> Sources:
    """The texts of files and folders; `-` is standard input.

    Raises:
        ConfigError: a path does not exist, or is neither file nor folder; all of them are named.
    """
    wrong = [message for path in paths if (message := _wrong(path))]
    if wrong:
        raise ConfigError(wrong)
    found = Sources()
    for path in paths:
        if str(path) == "-":
            found.texts["-"] = sys.stdin.read()
            found.asked["-"] = ["-"]
            continue
        files = list(_files(path, found.closed))
        for file in files:
            _read(file, found)
        found.asked[str(path)] = [str(file) for file in files]
    return found


def _wrong(path: Path) -> str:
    """Why a path cannot be asked for; empty where it can."""
    if str(path) == "-":
        return ""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return f"{path}: no such file or folder"
    except OSError as err:
        return f"{path}: cannot be read: {err.strerror}"
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return ""
    return f"{path}: neither a file nor a folder; what another command prints is read by `mainline lint -`"


def _read(file: Path, found: Sources) -> None:
    try:
        if file.stat().st_size > _MOST_BYTES:
            found.unreadable.append(f"{file}:1: larger than {_MOST_BYTES} bytes")
        else:
            found.texts[str(file)] = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as err:
        found.unreadable.append(f"{file}:1: {err}")
    except OSError as err:
        found.closed[str(file)] = err.strerror or str(err)


def kustomizations(root: Path) -> list[Path]:
    """The folders under `kustomize/overlays` of a checkout that Kustomize builds."""
    return sorted(path.parent for path in (root / "kustomize" / "overlays").rglob("kustomization.yaml"))


def committed(root: Path) -> dict[str, str]:
    """The YAML of a checkout from which overlays are built, by its path in the checkout."""
    found = texts([root / folder for folder in ("manifests", "kustomize", "models") if (root / folder).is_dir()])
    return {str(Path(file).relative_to(root)): text for file, text in found.texts.items()}


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


def _files(path: Path, closed: dict[str, str]) -> Iterator[Path]:
    """The files of a folder and below that may be manifests; `closed` is told what cannot be looked into."""
    if not path.is_dir():
        yield path
        return
    try:
        below = sorted(os.scandir(path), key=lambda each: each.name)
    except OSError as err:
        closed[str(path)] = err.strerror or str(err)
        return
    for each in below:
        if each.is_symlink() or each.name.startswith(".") or each.name in _APART:
            continue
        if each.is_dir(follow_symlinks=False):
            yield from _files(Path(each.path), closed)
        elif Path(each.name).suffix in _SUFFIXES and _regular(each):
            yield Path(each.path)


def _regular(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a file, and no pipe or device, which would be waited for."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        # Reading it will say why it cannot be.
        return True
