"""What is unused is unlinked, and a pattern that has gone stale stops the build."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.images import unused


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Two packages whose files are links to those of a cache."""
    made = tmp_path / "venv/lib/python3.11/site-packages"
    (tmp_path / "cache").mkdir()
    for name in (
        "a/__init__.py",
        "a/__init__.pyi",
        "a/inner/tests/deep/tests/t.py",
        "a/tests/t.py",
        "b/tests/t.py",
        "b/x.h",
    ):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        cached = tmp_path / "cache" / name.replace("/", "-")
        cached.write_text(name)
        os.link(cached, made / name)
    return made


def left(folder: Path) -> set[str]:
    """Files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_matches_is_gone_and_a_caches_files_are_as_they_were(packages: Path, tmp_path: Path) -> None:
    before = {path: path.read_text() for path in (tmp_path / "cache").iterdir()}
    unused.remove(packages, {"a/**/tests": "tests", "**/*.pyi": "stubs", "**/*.[ch]": "sources"})
    assert left(packages) == {"a/__init__.py", "b/tests/t.py"}
    assert {path: path.read_text() for path in (tmp_path / "cache").iterdir()} == before


def test_pattern_that_matches_nothing_is_told_before_anything_is_removed(packages: Path) -> None:
    before = left(packages)
    with pytest.raises(ValueError, match=r"has nothing like a/gone, \*\*/\*\.f90: mend UNUSED in unused\.py"):
        unused.remove(packages, {"**/*.pyi": "stubs", "a/gone": "went", "**/*.f90": "sources"})
    assert left(packages) == before


def test_the_images_build_stops_where_the_list_is_stale(packages: Path) -> None:
    command = [sys.executable, "-I", "-S", unused.__file__, str(packages.parents[2])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "has nothing like onnxruntime/capi/libonnxruntime.so.*" in done.stderr
