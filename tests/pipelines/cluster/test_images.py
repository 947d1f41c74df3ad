"""What an image is built from and called; whatever is wrong is said before anything is built."""

import re
import subprocess
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.cluster.images import IMAGES, ROOT, build_all, read_bases
from pipelines.cluster.revision import inputs, revision, source_url

BASES = {name: f"registry.example.org/{name}@sha256:{'a' * 64}" for name in ("python", "uv")}
DOCKERFILES = sorted({image.dockerfile for image in IMAGES})


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_dockerfile_takes_bases_by_digest_and_ends_as_a_numbered_user(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text(encoding="utf-8")
    sources = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert set(sources) <= {"${UV_IMAGE}", "${PYTHON_IMAGE}", "trainer"}
    for stage in re.split(r"^FROM .*$", text, flags=re.MULTILINE)[1:]:
        users = re.findall(r"^USER (\S+)", stage, re.MULTILINE)
        assert not users or re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert text.count("--require-hashes") == text.count("pip install")
    assert "ENV UV_" not in text
    assert "http://" not in text


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_what_is_copied_is_in_git_and_in_the_builds_context(dockerfile: str) -> None:
    let_in = [line[1:].strip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"]
    for path in inputs((ROOT / dockerfile).read_text(encoding="utf-8")):
        assert any(path == name or path.startswith(f"{name}/") for name in let_in), path
        assert path == "build/images/kustomize" or git(ROOT, "ls-files", path), path


def test_every_problem_is_told_before_anything_is_built() -> None:
    with pytest.raises(ConfigError) as refused:
        build_all("http://example.org", {"python": "python:3.13"})
    python, uv, registry = refused.value.problems
    assert "PYTHON_IMAGE: got 'python:3.13', must be an image of Debian or Ubuntu" in python
    assert "UV_IMAGE: is not set, must be an image that holds /uv" in uv
    assert "registry: got 'http://example.org', must be host[:port][/path]" in registry
    with pytest.raises(ConfigError, match=r"got 'trainr'.*did you mean \"trainer\""):
        build_all("127.0.0.1:1", BASES, ["trainr"])


def test_bases_of_the_environment_come_before_those_that_were_made(tmp_path: Path) -> None:
    assert read_bases(tmp_path, {}) == {"python": "", "uv": ""}
    (tmp_path / "build/cluster").mkdir(parents=True)
    (tmp_path / "build/cluster/bases.json").write_text('{"python": "a", "uv": "b"}')
    assert read_bases(tmp_path, {"UV_IMAGE": "c"}) == {"python": "a", "uv": "c"}


def test_revision_is_the_last_commit_that_changed_what_is_copied(tmp_path: Path) -> None:
    assert revision(tmp_path, "Dockerfile") == ""
    git(tmp_path, "init", "-q")
    (tmp_path / "code/inner").mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY --from=uv /x /x\nCOPY code/*.py /app/\n")
    for name in ("code/a.py", "code/inner/b.py", "README.md"):
        (tmp_path / name).write_text("1")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", name)
    first = git(tmp_path, "rev-list", "--max-parents=0", "HEAD")
    assert revision(tmp_path, "Dockerfile") == first
    (tmp_path / "code/inner/b.py").write_text("2")
    assert revision(tmp_path, "Dockerfile") == first
    (tmp_path / "code/a.py").write_text("2")
    assert revision(tmp_path, "Dockerfile") == f"{first}-dirty"


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://user:token@example.org/a/b.git", "https://example.org/a/b.git"),
        ("http://127.0.0.1:3000/a.git", "http://127.0.0.1:3000/a.git"),
        ("/srv/a.git", ""),
        ("git@example.org:a/b.git", ""),
        ("", ""),
    ],
)
def test_source_names_the_repository_and_nobodys_password(tmp_path: Path, remote: str, told: str) -> None:
    git(tmp_path, "init", "-q")
    if remote:
        git(tmp_path, "remote", "add", "origin", remote)
    assert source_url(tmp_path) == told
