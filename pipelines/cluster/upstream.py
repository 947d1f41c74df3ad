"""Upstream manifests by pinned reference, and the same from Go modules where no git host can be reached.

A kustomization names Argo's manifests as `https://github.com/<owner>/<repository>//<folder>?ref=v<version>`, and a
single file as `https://raw.githubusercontent.com/<owner>/<repository>/v<version>/<path>`. Kustomize fetches both by
itself. The source provider has the same tree as a Go module, whose content Go's checksum database vouches for: in a
copy of our tree the reference becomes the module's folder, or a copy of its file. Nothing upstream is copied into git.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path

from models.errors import ConfigError

REFERENCE = re.compile(
    r"https://github\.com/(?P<repository>[\w.-]+/[\w.-]+)//(?P<folder>[\w./-]+)\?ref=v(?P<version>[0-9.]+)\S*"
)
FILE = re.compile(
    r"https://raw\.githubusercontent\.com/(?P<repository>[\w.-]+/[\w.-]+)/v(?P<version>[0-9.]+)/(?P<path>[\w./-]+)"
)
# Go's name of each repository that a kustomization refers to; from v2 on a module is named after its major version.
MODULES = {
    "argoproj/argo-workflows": "github.com/argoproj/argo-workflows/v3",
    "argoproj/argo-rollouts": "github.com/argoproj/argo-rollouts",
    "kedacore/keda": "github.com/kedacore/keda/v2",
    "traefik/traefik": "github.com/traefik/traefik/v3",
}


@dataclass(frozen=True)
class Reference:
    """One pinned reference to an upstream folder of manifests, or to a single file."""

    text: str
    repository: str
    path: str
    version: str
    is_file: bool = False


def references(text: str) -> Iterator[Reference]:
    """The references in a kustomization: folders, then files."""
    for found in REFERENCE.finditer(text):
        yield Reference(found[0], found["repository"], found["folder"], found["version"])
    for found in FILE.finditer(text):
        yield Reference(found[0], found["repository"], found["path"], found["version"], is_file=True)


def localised(text: str, at: Path, folder_of: Callable[[str, str], Path]) -> str:
    """A kustomization with every reference as a path from `at`, since Kustomize takes no absolute one.

    A file is copied to `at`: Kustomize reads none from elsewhere.

    Args:
        folder_of: the folder of a Go module at a version.

    Raises:
        ConfigError: a reference is to a repository whose module is not known.
    """
    for reference in references(text):
        module = MODULES.get(reference.repository)
        if module is None:
            known = ", ".join(sorted(MODULES))
            raise ConfigError([f"{reference.text}: no Go module is known for it, only for {known}"])
        found = folder_of(module, reference.version) / reference.path
        if not (found.is_file() if reference.is_file else found.is_dir()):
            raise ConfigError([f"{reference.text}: {module} v{reference.version} has no {reference.path}"])
        if reference.is_file:
            (at / found.name).write_bytes(found.read_bytes())
        text = text.replace(reference.text, found.name if reference.is_file else relpath(found, at))
    return text


def module_folder(module: str, version: str) -> Path:
    """Where Go keeps a module; fetched where it does not have it yet.

    Raises:
        ConfigError: there is no Go, or the module cannot be had.
    """
    command = ["go", "mod", "download", "-json", f"{module}@v{version}"]
    try:
        # outside of any module: another's go.mod would have a say in it
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    except FileNotFoundError as err:
        raise ConfigError([f"{module}: needs Go to fetch it, which is not on PATH"]) from err
    if done.returncode != 0:
        raise ConfigError([f"{module} v{version}: {done.stderr.strip() or done.stdout.strip()}"])
    return Path(json.loads(done.stdout)["Dir"])
