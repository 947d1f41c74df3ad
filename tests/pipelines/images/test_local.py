"""An image in this machine's store: what is said where it cannot be, and where two builds differ."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.images.__main__ import main
from pipelines.images.builder import Builder, BuildFailed, Order
from pipelines.images.local import NotReproducible, build, build_twice

TAG = "localhost/mainline-tiny:1"
ORDER = Order(TAG, "Dockerfile", "", {}, {"a": "b"}, {})
# A builder that takes each image's id from the next line of `ids`, and tells the layers that a file of that name holds.
STUB = """
for last; do context=$last; done
if [ "$1" = image ]; then printf '[{"RootFS": {"Layers": %s}}]' "$(cat "$(dirname "$0")/$3")"; exit 0; fi
while [ "$1" != --iidfile ]; do shift; done
id=$(head -1 "$context/ids"); sed -i 1d "$context/ids"; printf %s "$id" >"$2"
"""


def silent(seconds: float, line: str) -> None:
    """Nobody listens."""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a podman that gives an image of each id that `ids` names, one after another."""
    (tmp_path / "podman").write_text(f"#!/bin/sh{STUB}")
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def test_two_builds_that_give_one_image_are_one(stub: Path) -> None:
    (stub / "ids").write_text("one\none\n")
    assert build_twice(Builder("podman"), ORDER, stub, stub / "x.log", silent) == "one"
    assert (stub / "ids").read_text() == "", "it was built once only"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ('["a", "b"]', '["a", "c"]', ["layer 2: b, then c"]),
        ('["a"]', '["a", "c"]', ["layer 2: None, then c"]),
        ('["a"]', '["a"]', ["the layers are the same and the configuration is not"]),
    ],
)
def test_two_builds_that_differ_are_told_by_their_layers(stub: Path, first: str, second: str, told: list[str]) -> None:
    (stub / "ids").write_text("one\ntwo\n")
    (stub / "one").write_text(first)
    (stub / "two").write_text(second)
    with pytest.raises(NotReproducible) as refused:
        build_twice(Builder("podman"), ORDER, stub, stub / "x.log", silent)
    assert str(refused.value).splitlines() == [
        f"{TAG}: two builds by podman gave one, then two:",
        *(f"  {line}" for line in told),
    ]


def test_what_hinders_a_build_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PYTHON_IMAGE", "UV_IMAGE", "MAINLINE_BUILDER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"got 'servin'.*did you mean \"serving\""):
        build("servin", silent, root=tmp_path)
    with pytest.raises(ConfigError, match=r"PYTHON_IMAGE: is not set(.|\n)*UV_IMAGE: is not set"):
        build("serving", silent, root=tmp_path)
    for name in ("PYTHON_IMAGE", "UV_IMAGE"):
        monkeypatch.setenv(name, f"example.org/x@sha256:{'a' * 64}")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["serving"]) == 1
    assert (
        "no container builder works here: docker: not on PATH; podman: not on PATH; buildah" in capsys.readouterr().err
    )


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Path]:
    """A context of one file, for a buildah that is here; its images are removed at the end."""
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("needs buildah, and root for it")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY a /a\nUSER 10001:10001\n")
    (tmp_path / "a").write_text("1")
    yield tmp_path
    subprocess.run(["buildah", "rmi", "--force", TAG], check=False, capture_output=True)


@pytest.mark.slow
def test_buildah_builds_the_same_image_twice_and_another_of_other_files(context: Path) -> None:
    builder, log = Builder("buildah"), context / "build.log"
    first = build_twice(builder, ORDER, context, log, silent)
    os.utime(context / "a", (0, 0))
    assert builder.build(ORDER, context, log, silent, cached=False) == first
    assert len(builder.layers(first)) == 1
    (context / "a").write_text("2")
    second = builder.build(ORDER, context, log, silent)
    assert builder.layers(second) != builder.layers(first)
    subprocess.run(["buildah", "rmi", "--force", first.removeprefix("sha256:")], check=True, capture_output=True)
    with pytest.raises(BuildFailed, match="`buildah inspect --type image` failed"):
        builder.layers(first)
