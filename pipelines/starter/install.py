"""Puts a prepared model into the repository: all of it, or nothing. Its folder in models/ comes last."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from models.errors import ConfigError, MainlineError


class DvcFailed(MainlineError):  # noqa: N818  (what happened, in a word)
    """A DVC command refused; the message ends with its own words."""


def install(root: Path, staged: Path, *, folders: list[str], data: str) -> None:
    """Move `folders` and the data file from `staged` to the same places under `root`, the data under DVC.

    Args:
        root: the repository.
        staged: a folder on the same file system that mirrors the repository.
        folders: paths relative to both, none of which may exist yet; moved in this order.
        data: the data file, relative to both.

    Raises:
        ConfigError: data/ has changes of its own, which `dvc add` would take along.
        DvcFailed: DVC refused; nothing is left behind.
    """
    _complete_data(root)
    pinned = root / "data.dvc"
    before = pinned.read_bytes()
    with ExitStack() as undo:
        undo.callback(pinned.write_bytes, before)
        target = root / data
        if not target.exists():
            undo.callback(target.unlink, missing_ok=True)
        os.replace(staged / data, target)
        dvc(root, "add", "--quiet", "data")
        dvc(root, "push", "--quiet", "data")
        for folder in folders:
            (root / folder).parent.mkdir(parents=True, exist_ok=True)
            undo.callback(shutil.rmtree, root / folder, ignore_errors=True)
            os.replace(staged / folder, root / folder)
        undo.pop_all()


def _complete_data(root: Path) -> None:
    """Make data/ what data.dvc pins: `dvc add` on less would drop the other models' files from the next version.

    Only what is absent is pulled: a pull over changed files would delete them.
    """
    folder = root / "data"
    if not folder.exists() or not any(folder.iterdir()):
        dvc(root, "pull", "--quiet", "data")
        return
    status = json.loads(dvc(root, "data", "status", "--granular", "--json") or "{}").get("uncommitted", {})
    changed = sorted({path for kind in ("added", "modified", "renamed", "unknown") for path in status.get(kind, [])})
    if changed:
        remedy = "`dvc add data` and commit, or undo with `dvc checkout --force data`"
        raise ConfigError([f"{path}: is not what data.dvc pins, {remedy}" for path in changed])
    if status:
        dvc(root, "pull", "--quiet", "data")


def dvc(root: Path, *arguments: str) -> str:
    """What a DVC command prints.

    Raises:
        DvcFailed: it ended with another status than 0.
    """
    with tempfile.TemporaryDirectory(prefix="dvc-") as site:  # DVC's shared default may belong to another user
        environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": site, "DO_NOT_TRACK": "true"}
        command = [sys.executable, "-m", "dvc", *arguments]
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
    if done.returncode:
        raise DvcFailed(
            f"`dvc {' '.join(arguments)}` in {root} ended with {done.returncode}: {done.stderr.strip()[-1000:]}"
        )
    return done.stdout.strip()
