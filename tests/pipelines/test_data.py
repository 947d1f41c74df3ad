"""Data arrive as the commit names them, or not at all. DVC itself runs in the slow test."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines import data
from pipelines.errors import DataMismatch


def _md5(text: bytes) -> str:
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose data DVC has already pulled."""
    monkeypatch.setattr(data, "_dvc_pull", lambda source, target: None)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_bytes(b"x\n1\n")
    manifest = json.dumps([{"md5": _md5(b"x\n1\n"), "relpath": "a.csv"}]).encode()
    name = _md5(manifest) + ".dir"
    cached = tmp_path / ".dvc/cache/files/md5" / name[:2] / name[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(manifest)
    (tmp_path / "data.dvc").write_text(f"outs:\n- md5: {name}\n  path: data\n")
    return tmp_path


def test_file_is_copied_and_the_version_told(tree: Path) -> None:
    version = data.pull(tree, "a.csv", tree / "out")
    assert version == data.data_md5(tree)
    assert (tree / "out/a.csv").read_bytes() == b"x\n1\n"


def test_changed_file_is_refused(tree: Path) -> None:
    (tree / "data/a.csv").write_bytes(b"x\n2\n")
    with pytest.raises(DataMismatch, match="the copy was changed"):
        data.pull(tree, "a.csv", tree / "out")
    assert not (tree / "out").exists()


def test_file_outside_the_version_is_refused(tree: Path) -> None:
    with pytest.raises(DataMismatch, match="not in data version"):
        data.pull(tree, "b.csv", tree / "out")


def test_changed_manifest_is_refused(tree: Path) -> None:
    (manifest,) = [path for path in (tree / ".dvc/cache").rglob("*") if path.is_file()]
    manifest.write_text("[]")
    with pytest.raises(DataMismatch, match="its bytes are not those"):
        data.pull(tree, "a.csv", tree / "out")


@pytest.mark.parametrize("text", ["", "outs: []\n", "outs:\n- md5: abc\n"], ids=["empty", "no outs", "a file"])
def test_data_dvc_must_pin_a_folder(text: str, tree: Path) -> None:
    (tree / "data.dvc").write_text(text)
    with pytest.raises(ConfigError, match=r"data\.dvc"):
        data.data_md5(tree)


@pytest.mark.slow
def test_dvc_pulls_from_a_folder_remote(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "data").mkdir(parents=True)
    (tree / "data/a.csv").write_text("x\n1\n")
    environment = {**os.environ, "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    for command in (
        ["git", "init", "-q"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        [sys.executable, "-m", "dvc", "remote", "add", "-q", "-d", "local", str(tmp_path / "remote")],
        [sys.executable, "-m", "dvc", "add", "-q", "data"],
        [sys.executable, "-m", "dvc", "push", "-q"],
    ):
        subprocess.run(command, cwd=tree, env=environment, check=True)
    shutil.rmtree(tree / "data")
    shutil.rmtree(tree / ".dvc/cache")
    version = data.pull(tree, "a.csv", tmp_path / "out")
    assert version.endswith(".dir")
    assert (tmp_path / "out/a.csv").read_text() == "x\n1\n"
    shutil.rmtree(tmp_path / "remote")
    shutil.rmtree(tree / ".dvc/cache")
    shutil.rmtree(tree / "data")
    with pytest.raises(DataMismatch, match="dvc pull"):
        data.pull(tree, "a.csv", tmp_path / "out")
