"""A scratch repository for a specimen: production runs the stable bundle on `base`, and `head` would release the other.

What `mainline rehearse` needs is copied from this checkout as it is, committed or not: overlays, manifests, models.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.bundle import MODEL, Bundle
from models.release import THIS_MACHINE, Release, release_path, render_release
from tests.specimens.catalogue import Case
from tests.specimens.making import ROOT, made
from tests.specimens.removal import remove_from_strategies

ENVIRONMENT = "production"
# Not by PYTHONPATH: a checkout under /tmp would be taken for the pod's own volume of that name.
_CODE = (
    f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); "
    "runpy.run_module('tests.specimens.server', run_name='__main__')"
)
COMMAND = ("python", "-c", _CODE)
_COPIED = ("kustomize", "manifests", "models", "versions.env", "data.dvc")


@dataclass(frozen=True)
class Repository:
    """Where it lies, and its two commits."""

    root: Path
    base: str
    head: str


def repository(case: Case, folder: Path, *, removed: Sequence[str] = ()) -> Repository:
    """The repository of a case, in a new folder; the gates `removed` are in none of its strategies."""
    root = folder / "repository"
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    for gate in removed:
        assert remove_from_strategies(root, gate), f"no strategy has the gate {gate}"
    (root / ".tools").symlink_to(ROOT / ".tools")
    _git(root, "init", "--quiet", "--initial-branch=main")
    (root / ".git" / "info" / "exclude").write_text("/build/\n/.tools\n")
    _release(root, case.model, "1", made(case.stable))
    base = _commit(root, "stable")
    bundle = made(case.candidate)
    if case.release == "tampered":
        bundle = _tampered(bundle, folder / "tampered")
    _release(root, case.model, "2", bundle)
    if case.server:
        _patch_pod(root, case.model, case.server)
    return Repository(root, base, _commit(root, case.specimen))


def _release(root: Path, model: str, version: str, bundle: Bundle) -> None:
    lineage = bundle.manifest.lineage
    release = Release(
        image=THIS_MACHINE,
        model=model,
        version=version,
        uri=bundle.folder.as_uri(),
        digest=bundle.digest,
        run=lineage.run_id,
        commit=lineage.commit,
    )
    (root / release_path(ENVIRONMENT, model)).write_text(render_release(release), encoding="utf-8")


def _tampered(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle with one byte of its graph changed, under the digest that was released."""
    shutil.copytree(bundle.folder, folder)
    data = bytearray((folder / MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / MODEL).write_bytes(data)
    return Bundle(folder, bundle.manifest, bundle.digest)


def _patch_pod(root: Path, model: str, fault: str) -> None:
    """The overlay's pod template runs the faulty server in place of the real one."""
    path = root / "kustomize" / "overlays" / ENVIRONMENT / model / "kustomization.yaml"
    overlay = yaml.safe_load(path.read_text(encoding="utf-8"))
    container = "/spec/template/spec/containers/0"
    patch = [
        {"op": "replace", "path": f"{container}/command", "value": list(COMMAND)},
        {"op": "add", "path": f"{container}/env/-", "value": {"name": "SPECIMEN", "value": fault}},
    ]
    overlay.setdefault("patches", []).append({"target": {"kind": "Rollout"}, "patch": yaml.safe_dump(patch)})
    path.write_text(yaml.safe_dump(overlay, sort_keys=False), encoding="utf-8")


def _commit(root: Path, message: str) -> str:
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--allow-empty", f"--message={message}")
    return _git(root, "rev-parse", "HEAD")


def _git(root: Path, *arguments: str) -> str:
    people = ["-c", "user.name=Ada Tester", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *people, "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
