"""Which models does a push concern? Called by `mainline changed` and by whoever receives a push.

A change to a model's train.py, to the half of model.yaml that decides a training, or to its offline gates concerns
that model; one to data the models that read the file; one to shared training code every model. Overlays, cards, online
gates, serving and docs concern none. Where there is no past to compare with, all are concerned, and the reason says so.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import yaml

from models.errors import ConfigError, MainlineError
from pipelines.data_manifest import POINTER, ManifestUnreadable, manifest
from pipelines.training_code import is_shared

ZEROS = "0" * 40


class Tree(Protocol):
    """The files of one commit."""

    def blobs(self) -> Mapping[str, str]:
        """Path to a text that differs when the content does."""

    def read(self, path: str) -> bytes:
        """A file's content; KeyError where there is none."""


@dataclass(frozen=True)
class Changes:
    """Models to train, in order of name, each with the reason; `notes` say what a person may wonder about."""

    models: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class GitTree:
    """A commit of a repository, bare or not."""

    repo: Path
    commit: str

    @cached_property
    def _blobs(self) -> dict[str, str]:
        listed = _git(self.repo, "ls-tree", "-r", "-z", "--full-tree", self.commit).decode()
        return {line.split("\t", 1)[1]: line.split("\t", 1)[0] for line in listed.split("\0") if line}

    def blobs(self) -> Mapping[str, str]:
        return self._blobs

    def read(self, path: str) -> bytes:
        if path not in self._blobs:
            raise KeyError(path)
        return _git(self.repo, "cat-file", "blob", f"{self.commit}:{path}")


def changed_between(repo: Path, old: str, new: str, *, main: str = "") -> Changes:
    """What a push of `new` over `old` concerns; `old` may be zeros, unknown, or no ancestor.

    Args:
        main: with what a branch is compared that has no past to go by, where it left it; all models without one.

    Raises:
        ConfigError: `new` is no commit of the repository.
    """
    if not _known(repo, new):
        raise ConfigError([f"{new}: no commit of {repo}; fetch it first"])
    tree = GitTree(repo, new)
    why_not = _no_past(repo, old, new)
    if why_not:
        old = _left(repo, main, new) if main else ""
    return changed(GitTree(repo, old), tree) if old else everything(tree, why_not)


def everything(tree: Tree, reason: str) -> Changes:
    """All models of a tree, for one reason."""
    names = _models(tree)
    return Changes(names, dict.fromkeys(names, reason))


def changed(old: Tree, new: Tree) -> Changes:
    """Compare two trees; pure but for reading them."""
    before, after = old.blobs(), new.blobs()
    paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    names = _models(new)
    for path in paths:
        if is_shared(path):
            return Changes(names, dict.fromkeys(names, f"shared training code: {path}"))
    reasons: dict[str, str] = {}
    notes = [f"{name}: deleted, not trained" for name in _models(old) if name not in names]
    moved = _moved_data(old, new) if POINTER in paths else {}
    for name in names:
        inside = [path for path in paths if path.startswith(f"models/{name}/")]
        reason = next((why for path in inside if (why := _concerns(old, new, path))), "") or _data(new, name, moved)
        if reason:
            reasons[name] = reason
    return Changes(tuple(reasons), reasons, tuple(notes))


def _models(tree: Tree) -> tuple[str, ...]:
    parts = [path.split("/") for path in tree.blobs()]
    return tuple(sorted(p[1] for p in parts if len(p) == 3 and p[0] == "models" and p[2] == "model.yaml"))


def _concerns(old: Tree, new: Tree, path: str) -> str:
    """Why a changed file of a model's folder makes it train, or nothing."""
    name = path.split("/", 2)[2]
    if name in ("MODEL_CARD.md", "kustomization.yaml"):
        return ""
    if name == "model.yaml":
        return _differs(old, new, path, _training_half)
    if name == "gates.yaml":
        return _differs(old, new, path, _offline_half)
    return f"{path} changed"


def _differs(old: Tree, new: Tree, path: str, half: Any) -> str:
    if path not in old.blobs():
        return f"{path} is new"
    if path not in new.blobs():
        return f"{path} is gone"
    try:
        before, after = (half(yaml.safe_load(tree.read(path))) for tree in (old, new))
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        return f"{path} cannot be read, so training must say what is wrong"
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return f"{path}: {', '.join(keys)}" if keys else ""


def _training_half(spec: dict[str, Any]) -> dict[str, Any]:
    """As `ModelSpec.training_half`, of a file that the schema at hand may not know (a test holds both together)."""
    half = {key: value for key, value in spec.items() if key not in ("owner", "description", "serving")}
    half["training"] = {key: value for key, value in (spec.get("training") or {}).items() if key != "schedule"}
    return half


def _offline_half(gates: dict[str, Any]) -> dict[str, Any]:
    return dict(gates["spec"]["offline"])


def _moved_data(old: Tree, new: Tree) -> dict[str, str]:
    """File of data/ to the reason why its readers train; `*` for all files."""
    try:
        before, after = manifest(old.read), manifest(new.read)
    except (ManifestUnreadable, MainlineError) as err:
        return {"*": f"data changed, and which cannot be told: {err}"}
    return {name: f"data: {name} changed" for name in {*before, *after} if before.get(name) != after.get(name)}


def _data(new: Tree, model: str, moved: Mapping[str, str]) -> str:
    if not moved:
        return ""
    try:
        file = str(yaml.safe_load(new.read(f"models/{model}/model.yaml"))["data"]["file"])
    except (yaml.YAMLError, KeyError, TypeError):
        return f"models/{model}/model.yaml cannot be read, so training must say what is wrong"
    return moved.get("*") or moved.get(file, "")


def _no_past(repo: Path, old: str, new: str) -> str:
    """Why a push cannot be compared with what was there before; empty where it can."""
    if set(old) <= {"0"}:
        return "new branch: there is nothing to compare with"
    if not _known(repo, old):
        return f"{old[:12]} is unknown here: there is nothing to compare with"
    ancestor = subprocess.run(["git", "-C", str(repo), "merge-base", "--is-ancestor", old, new], check=False)
    return f"forced push: {old[:12]} is no ancestor of {new[:12]}" if ancestor.returncode else ""


def _left(repo: Path, main: str, new: str) -> str:
    """Where a commit's history left a branch; empty where they have none in common, or there is no such branch."""
    asked = ["git", "-C", str(repo), "merge-base", "--end-of-options", f"refs/heads/{main}", new]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _known(repo: Path, commit: str) -> bool:
    asked = ["git", "-C", str(repo), "rev-parse", "--quiet", "--verify", "--end-of-options", f"{commit}^{{commit}}"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _git(repo: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, check=False)
    if done.returncode:
        raise ConfigError([f"git {arguments[0]} in {repo}: {done.stderr.decode().strip()}"])
    return done.stdout
