"""How tools come into .tools/: each way, its order, and what is refused."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines import tools
from pipelines.tools import install, kustomize, prometheus, promtool
from pipelines.tools.__main__ import main
from pipelines.tools.table import KUSTOMIZE, PROMETHEUS, Tool
from pipelines.tools.ways import Say, from_module, from_path, from_release, unpack
from pipelines.versions import ToolMissing, ToolTampered, read_versions, suits

VERSIONS = read_versions(tools.ROOT)
SCRIPT = '#!/bin/sh\n[ "$1" = version ] && echo {version}\n'
MEASURING = '#!/bin/sh\n[ "$1" = --version ] && echo "{program}, version {version} (branch: x)"\n'


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
        ("5.8.1+ds", True),
    ],
)
def test_only_versions_in_the_range_suit(version: str | None, expected: bool) -> None:
    assert suits(version, VERSIONS) is expected


def test_pins_name_a_release_for_each_platform() -> None:
    for platform in ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"):
        assert len(bytes.fromhex(VERSIONS[f"KUSTOMIZE_SHA256_{platform}"])) == 32
    assert suits(VERSIONS["KUSTOMIZE_VERSION"], VERSIONS)
    assert suits(VERSIONS["PROMETHEUS_VERSION"], VERSIONS, "PROMETHEUS")


def test_versions_file_names_all_its_problems(root: Path) -> None:
    (root / "versions.env").write_text("KUSTOMIZE_MIN 5\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_versions(root)
    assert "line 1: got 'KUSTOMIZE_MIN 5', must be KEY=value" in refused.value.problems[0]
    assert "versions.env: KUSTOMIZE_MODULE: missing" in refused.value.problems
    assert "versions.env: PROMETHEUS_MIN: missing" in refused.value.problems


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
    assert KUSTOMIZE.on_path(VERSIONS) is None
    put("kubectl", text.replace("VERSION", "v5.6.0"))
    assert install(root, say=lambda _: None) == "v5.6.0"


def test_each_way_is_tried_and_what_it_said_is_told(root: Path, put: Callable[[str, str], Path]) -> None:
    def fails(tool: Tool, versions: Mapping[str, str], scratch: Path, say: Say) -> str:
        raise ToolMissing("there is no network")

    def old(tool: Tool, versions: Mapping[str, str], scratch: Path, say: Say) -> str:
        (scratch / "kustomize").write_text(SCRIPT.format(version="v4.0.0"), encoding="utf-8")
        return "an old one"

    with pytest.raises(ToolMissing, match=r"no network; an old one says its version is v4\.0\.0\. Put"):
        install(root, say=lambda _: None, ways=(fails, old))
    assert not (root / ".tools/kustomize").exists()


def test_without_go_the_message_says_so(root: Path, put: Callable[[str, str], Path], tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="there is no Go"):
        from_module(KUSTOMIZE, VERSIONS, tmp_path, lambda _: None)


def test_tool_without_a_pinned_hash_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="pins no release"):
        from_release(PROMETHEUS, VERSIONS, tmp_path, lambda _: None)


def test_download_is_unpacked_only_when_it_is_the_pinned_one(tmp_path: Path) -> None:
    good = archive("kustomize")
    assert unpack(good, hashlib.sha256(good).hexdigest(), tmp_path).read_text(encoding="utf-8").startswith("#!/bin/sh")
    with pytest.raises(ToolTampered, match=r"sha256 is .*: not installed"):
        unpack(good + b" ", hashlib.sha256(good).hexdigest(), tmp_path)
    other = archive("other")
    with pytest.raises(ToolTampered, match="no file `kustomize`"):
        unpack(other, hashlib.sha256(other).hexdigest(), tmp_path)


def test_tampered_download_is_not_followed_by_another_way(root: Path) -> None:
    def tampered(tool: Tool, versions: Mapping[str, str], scratch: Path, say: Say) -> str:
        raise ToolTampered("sha256")

    def never(tool: Tool, versions: Mapping[str, str], scratch: Path, say: Say) -> str:
        raise AssertionError("was asked")

    with pytest.raises(ToolTampered):
        install(root, say=lambda _: None, ways=(tampered, never))


def test_prometheus_and_promtool_of_path_are_taken_together(root: Path, put: Callable[[str, str], Path]) -> None:
    put("prometheus", MEASURING.format(program="prometheus", version="2.42.0+ds"))
    assert PROMETHEUS.on_path(VERSIONS) is None  # promtool is missing
    put("promtool", MEASURING.format(program="promtool", version="2.41.0"))
    assert PROMETHEUS.on_path(VERSIONS) is None  # another version
    put("promtool", MEASURING.format(program="promtool", version="2.42.0+ds"))
    assert install(root, PROMETHEUS, say=lambda _: None) == "2.42.0+ds"
    assert prometheus(root) == [str(root / ".tools/prometheus")]
    assert promtool(root) == [str(root / ".tools/promtool")]
    assert sorted(os.listdir(root / ".tools")) == ["prometheus", "prometheus.json", "promtool"]


def test_missing_prometheus_names_the_command_that_brings_it(
    root: Path, put: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "ROOT", root)
    with pytest.raises(ToolMissing, match="run `make tools`"):
        prometheus(root)
    with pytest.raises(ToolMissing, match="apt-get install prometheus"):
        install(root, PROMETHEUS, say=lambda _: None, ways=(from_path, from_release))


def test_unknown_tool_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kubectl"]) == 2
    assert "got 'kubectl', must be among kustomize, prometheus" in capsys.readouterr().err
