"""kustomize for an image: a program for Linux at the pinned version, had once and kept for this user's checkouts."""

import shutil
from pathlib import Path

import pytest

from pipelines.images import kustomize_binary
from pipelines.images.kustomize_binary import put_kustomize
from pipelines.tools import ROOT
from pipelines.tools.ways import linux
from pipelines.versions import ToolMissing, read_versions


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout's root; the release and the module are had by ways of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "root").mkdir()
    shutil.copyfile(ROOT / "versions.env", tmp_path / "root/versions.env")
    return tmp_path / "root"


def test_it_is_had_once_and_copied_into_each_checkouts_context(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def release(*arguments: object) -> str:
        raise ToolMissing("no network")

    def module(tool: object, versions: object, scratch: Path, say: object, wanted: str) -> str:
        asked.append(wanted)
        (scratch / "kustomize").write_bytes(b"program")
        return "module"

    monkeypatch.setattr(kustomize_binary, "from_release", release)
    monkeypatch.setattr(kustomize_binary, "from_module", module)
    said: list[str] = []
    for _ in range(2):
        path = put_kustomize(root, said.append)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"program", 0o755)
        shutil.rmtree(root / "build")
    assert asked == [linux()]
    assert said == ["kustomize: no network"]
    version = read_versions(root)["KUSTOMIZE_VERSION"]
    assert [path.name for path in (root.parent / "cache/mainline").iterdir()] == [f"kustomize-{version}-{linux()}"]


def test_another_version_is_had_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def release(tool: object, versions: dict[str, str], scratch: Path, say: object, wanted: str) -> str:
        (scratch / "kustomize").write_text(versions["KUSTOMIZE_VERSION"])
        return "release"

    monkeypatch.setattr(kustomize_binary, "from_release", release)
    first = put_kustomize(root, print).read_text()
    versions = root / "versions.env"
    versions.write_text(versions.read_text().replace(f"KUSTOMIZE_VERSION={first}", "KUSTOMIZE_VERSION=5.9.9"))
    assert put_kustomize(root, print).read_text() == "5.9.9"


def test_without_network_and_go_it_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object) -> str:
        raise ToolMissing("is not to be had")

    monkeypatch.setattr(kustomize_binary, "from_release", missing)
    monkeypatch.setattr(kustomize_binary, "from_module", missing)
    with pytest.raises(ToolMissing, match=r"is not to be had; is not to be had\. Install Go"):
        put_kustomize(root, print)
    assert not (root / "build/images/kustomize").exists()
