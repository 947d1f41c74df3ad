"""How kustomize comes into .tools/: each way, its order, and what is refused."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines import tools
from pipelines.tools import install, kustomize, unpack
from pipelines.versions import ToolMissing, ToolTampered, kustomize_on_path, read_versions, suits

VERSIONS = read_versions(tools.ROOT)
SCRIPT = '#!/bin/sh\n[ "$1" = version ] && echo {version}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "versions.env").write_text((tools.ROOT / "versions.env").read_text(encoding="utf-8"), encoding="utf-8")
    return folder


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a program on a PATH that has nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def program(name: str, text: str) -> Path:
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
        return folder / name

    return program


def archive(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        content = SCRIPT.format(version="v5.8.1").encode()
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v5.5.0", True),
        ("v5.8.1", True),
        ("5.4.9", False),
        ("v6.0.0", False),
        ("{}", False),
        ("", False),
        (None, False),
    ],
)
def test_only_versions_in_the_range_suit(version: str | None, expected: bool) -> None:
    assert suits(version, VERSIONS) is expected


def test_pins_name_a_release_for_each_platform() -> None:
    for platform in ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"):
        assert len(bytes.fromhex(VERSIONS[f"KUSTOMIZE_SHA256_{platform}"])) == 32
    assert suits(VERSIONS["KUSTOMIZE_VERSION"], VERSIONS)


def test_versions_file_names_all_its_problems(root: Path) -> None:
    (root / "versions.env").write_text("KUSTOMIZE_MIN 5\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_versions(root)
    assert "line 1: got 'KUSTOMIZE_MIN 5', must be KEY=value" in refused.value.problems[0]
    assert "versions.env: KUSTOMIZE_URL: missing" in refused.value.problems


def test_kustomize_of_path_is_taken_where_it_suits(root: Path, put: Callable[[str, str], Path]) -> None:
    put("kustomize", SCRIPT.format(version="v5.7.1"))
    said: list[str] = []
    assert install(root, say=said.append) == "v5.7.1"
    assert install(root, say=said.append) == "v5.7.1"
    assert "already in .tools/" in said[-1]
    assert kustomize(root) == [str(root / ".tools/kustomize")]
    assert '"version": "v5.7.1"' in (root / ".tools/kustomize.json").read_text(encoding="utf-8")
    assert sorted(os.listdir(root / ".tools")) == ["kustomize", "kustomize.json"]


def test_kubectl_counts_where_its_kustomize_suits(root: Path, put: Callable[[str, str], Path]) -> None:
    text = '#!/bin/sh\n[ "$1" = version ] && echo \'{"kustomizeVersion": "VERSION"}\' || echo "$@"\n'
    put("kustomize", SCRIPT.format(version="v4.0.0"))
    put("kubectl", text.replace("VERSION", "v5.0.1"))
    assert kustomize_on_path(VERSIONS) is None
    put("kubectl", text.replace("VERSION", "v5.6.0"))
    assert install(root, say=lambda _: None) == "v5.6.0"


def test_each_way_is_tried_and_what_it_said_is_told(root: Path, put: Callable[[str, str], Path]) -> None:
    def fails(versions: Mapping[str, str], scratch: Path, say: tools.Say) -> tuple[Path, str]:
        raise ToolMissing("there is no network")

    def old(versions: Mapping[str, str], scratch: Path, say: tools.Say) -> tuple[Path, str]:
        (scratch / "kustomize").write_text(SCRIPT.format(version="v4.0.0"), encoding="utf-8")
        return scratch / "kustomize", "an old one"

    with pytest.raises(ToolMissing, match=r"no network; an old one says its version is v4\.0\.0\. Put"):
        install(root, say=lambda _: None, ways=(fails, old))
    assert not (root / ".tools/kustomize").exists()


def test_without_go_the_message_says_so(root: Path, put: Callable[[str, str], Path], tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="there is no Go"):
        tools._from_module(VERSIONS, tmp_path, lambda _: None)


def test_unknown_platform_has_no_release(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="pins no release"):
        tools._from_release({"KUSTOMIZE_URL": "https://x", "KUSTOMIZE_VERSION": "1"}, tmp_path, lambda _: None)


def test_download_is_unpacked_only_when_it_is_the_pinned_one(tmp_path: Path) -> None:
    good = archive("kustomize")
    assert unpack(good, hashlib.sha256(good).hexdigest(), tmp_path).read_text(encoding="utf-8").startswith("#!/bin/sh")
    with pytest.raises(ToolTampered, match=r"sha256 is .*: not installed"):
        unpack(good + b" ", hashlib.sha256(good).hexdigest(), tmp_path)
    other = archive("other")
    with pytest.raises(ToolTampered, match="no file `kustomize`"):
        unpack(other, hashlib.sha256(other).hexdigest(), tmp_path)


def test_tampered_download_is_not_followed_by_another_way(root: Path) -> None:
    def tampered(versions: Mapping[str, str], scratch: Path, say: tools.Say) -> tuple[Path, str]:
        raise ToolTampered("sha256")

    def never(versions: Mapping[str, str], scratch: Path, say: tools.Say) -> tuple[Path, str]:
        raise AssertionError("was asked")

    with pytest.raises(ToolTampered):
        install(root, say=lambda _: None, ways=(tampered, never))
