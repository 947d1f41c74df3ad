"""The builder of this machine is found or the reasons are told; one builds and pushes for real where it is here."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from models.errors import ConfigError
from pipelines.images.builder import Builder, BuilderMissing, BuildFailed, Order, detect

ORDER = Order(
    tag="127.0.0.1:5000/x:1",
    dockerfile="a/Dockerfile",
    target="last",
    arguments={"PYTHON_IMAGE": "p@sha256:1"},
    labels={"org.opencontainers.image.revision": "abc"},
    secrets={"ca": Path("/s/ca.crt")},
    plain_http=True,
)


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_builder_that_works_is_taken_and_one_without_its_daemon_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    program(tmp_path / "bin", "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(BuilderMissing, match="docker: Cannot connect to the Docker daemon; podman: not on PATH; build"):
        detect()
    program(tmp_path / "bin", "buildah", "echo 1.28")
    assert detect() == Builder("buildah")
    with pytest.raises(BuilderMissing, match="podman: not on PATH"):
        detect("podman")
    with pytest.raises(ConfigError, match="must be one of docker, podman, buildah"):
        detect("kaniko")


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_all_three_are_told_the_same(name: str) -> None:
    command = Builder(name).build_command(ORDER, Path("/root"), Path("/log/x.id"))
    text = " ".join(command)
    for part in (
        "--file /root/a/Dockerfile",
        "--tag 127.0.0.1:5000/x:1",
        "--target last",
        "--build-arg PYTHON_IMAGE=p@sha256:1",
        "--label org.opencontainers.image.revision=abc",
        "--secret id=ca,src=/s/ca.crt",
        "--iidfile /log/x.id",
    ):
        assert part in text
    assert "--no-cache" not in command
    assert "--no-cache" in Builder(name).build_command(ORDER, Path("/root"), Path("/log/x.id"), cached=False)
    assert command[:2] == [name, "build"]
    assert command[-1] == "/root"
    # times are zero in all three, and only podman and buildah say by an option how they speak to a registry
    assert ("SOURCE_DATE_EPOCH=0" in text, "--timestamp=0" in text) == (
        (True, False) if name == "docker" else (False, True)
    )
    assert ("--tls-verify=false" in text) == (name != "docker")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Debian's docker-registry on this machine."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not on PATH: apt-get install docker-registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = tmp_path / "registry.yml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/store}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    with (tmp_path / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(settings)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urlopen(f"http://{address}/v2/", timeout=5):
                    break
            except OSError:
                assert process.poll() is None, (tmp_path / "registry.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_image_is_pushed_and_known_by_its_digest(registry: str, tmp_path: Path) -> None:
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("needs buildah, and root for it")
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY a /a\nUSER 10001:10001\n")
    (context / "a").write_text("1")
    order = Order(f"{registry}/mainline/tiny:1", "Dockerfile", "", {}, {"a": "b"}, {})
    builder, ticks = Builder("buildah"), []
    digests = []
    for content in ("1", "2", "1"):
        (context / "a").write_text(content)
        builder.build(order, context, tmp_path / "build.log", lambda seconds, line: ticks.append(seconds))
        digests.append(
            builder.push(order.tag, tmp_path / "push.log", lambda seconds, line: ticks.append(seconds), plain_http=True)
        )
    assert digests[0] == digests[2] != digests[1]
    wanted = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    with urlopen(Request(f"http://{registry}/v2/mainline/tiny/manifests/{digests[0]}", headers=wanted)) as answer:
        assert answer.headers["Docker-Content-Digest"] == digests[0]
    assert ticks
    (context / "Dockerfile").write_text("FROM scratch\nCOPY missing /a\n")
    with pytest.raises(BuildFailed, match=r"tiny:1: `buildah build` failed(.|\n)*missing(.|\n)*log: .*build\.log"):
        builder.build(order, context, tmp_path / "build.log", lambda seconds, line: None)
    subprocess.run(["buildah", "rmi", "--force", order.tag], check=True, capture_output=True)
