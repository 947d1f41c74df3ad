"""What an image is built from, called and labelled."""

import json
import re
from pathlib import Path

import pytest

from pipelines.images.orders import IMAGES, ROOT, order_of, read_bases
from pipelines.images.revision import committed, inputs
from pipelines.source import git

BASES = {name: f"10.0.0.1:5000/{name}@sha256:{'a' * 64}" for name in ("python", "uv")}
DOCKERFILES = sorted({image.dockerfile for image in IMAGES})


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_dockerfile_takes_bases_by_digest_and_ends_as_a_numbered_user(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text(encoding="utf-8")
    sources = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    assert sources - {"${UV_IMAGE}", "${PYTHON_IMAGE}"} <= set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
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


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_image_starts_without_a_shell_and_leaves_its_health_to_the_platform(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text(encoding="utf-8")
    (command,) = re.findall(r"^CMD (.+)", text, re.MULTILINE)
    assert len(json.loads(command)) > 1
    assert not re.search(r"^(ENTRYPOINT|SHELL|HEALTHCHECK|VOLUME)", text, re.MULTILINE)


def test_last_stage_of_serving_only_copies() -> None:
    last = (ROOT / "services/serving/Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert {line.split(" ")[0] for line in last.splitlines()[1:] if line[0] != "#"} == {
        *("COPY", "WORKDIR", "ENV", "USER", "EXPOSE", "CMD")
    }


def test_image_is_called_by_its_commit_and_labelled_with_what_is_known(tmp_path: Path) -> None:
    image = IMAGES[0]
    (tmp_path / image.dockerfile).parent.mkdir(parents=True)
    (tmp_path / image.dockerfile).write_text("FROM scratch\n")
    known = {
        "org.opencontainers.image.title": "mainline-serving",
        "org.opencontainers.image.base.name": BASES["python"],
    }
    bare = order_of(tmp_path, image, "localhost/it", BASES, {}, plain_http=True)
    assert (bare.tag, bare.labels, bare.plain_http) == ("localhost/it:unknown", known, True)
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "https://me:secret@example.org/it.git")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    far = BASES | {"uv": f"8.8.8.8/uv@sha256:{'a' * 64}"}
    order = order_of(tmp_path, image, "localhost/it", far, {}, plain_http=True)
    assert (order.tag, order.plain_http) == (f"localhost/it:{commit[:12]}", False)
    assert order.labels == known | {
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.created": committed(tmp_path, commit),
        "org.opencontainers.image.source": "https://example.org/it.git",
    }
    (tmp_path / image.dockerfile).write_text("FROM scratch\nUSER 1:1\n")
    changed = order_of(tmp_path, image, "localhost/it", BASES, {}, plain_http=False)
    assert (changed.tag, changed.plain_http) == (f"localhost/it:{commit[:12]}-dirty", False)
    assert "org.opencontainers.image.created" not in changed.labels


def test_bases_of_the_environment_come_before_those_that_were_made(tmp_path: Path) -> None:
    assert read_bases(tmp_path, {}) == {"python": "", "uv": ""}
    (tmp_path / "build/cluster").mkdir(parents=True)
    (tmp_path / "build/cluster/bases.json").write_text('{"python": "a", "uv": "b"}')
    assert read_bases(tmp_path, {"UV_IMAGE": "c"}) == {"python": "a", "uv": "c"}
