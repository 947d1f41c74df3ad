"""What is asked of kind and its engine, seen by programs that write their arguments down; kind itself is not run."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipelines.cluster import kind_cluster
from pipelines.cluster.kind_cluster import KindFailed, down, up
from pipelines.cluster.provider import Provider

VERSIONS = {
    "KIND_NODE_IMAGE": "kindest/node:v1@sha256:1",
    "KIND_REGISTRY_IMAGE": "registry:2@sha256:2",
    "PYTHON_IMAGE": "python:3",
    "UV_IMAGE": "uv:1",
}
KIND = """#!/bin/sh
echo "kind $*" >>"$TOLD"
case "$1 $2" in
  "get clusters") cat "$CLUSTERS" ;;
  "get nodes") echo mainline-worker ;;
  "create cluster") echo mainline >"$CLUSTERS" ;;
  "delete cluster") : >"$CLUSTERS" ;;
esac
"""
DOCKER = """#!/bin/sh
echo "docker $*" >>"$TOLD"
case "$1" in
  ps) cat "$CONTAINERS" ;;
  run) echo mainline-registry >"$CONTAINERS" ;;
  inspect) echo '{"bridge": {}}' ;;
  image) echo "docker.io/$5@sha256:3" ;;
  exec) cat >/dev/null ;;
esac
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What was asked so far."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"kind": KIND, "docker": DOCKER, "kubectl": '#!/bin/sh\necho "kubectl $*" >>"$TOLD"\n'}.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    for name in ("TOLD", "CLUSTERS", "CONTAINERS"):
        (tmp_path / name).touch()
        monkeypatch.setenv(name, str(tmp_path / name))
    return lambda: (tmp_path / "TOLD").read_text(encoding="utf-8").splitlines()


def test_first_time_makes_cluster_and_registry(tmp_path: Path, told: Callable[[], list[str]]) -> None:
    cluster = up(tmp_path, "docker", VERSIONS, {"UV_IMAGE": "mine@sha256:4"})
    lines = told()
    assert cluster.provider is Provider.KIND
    assert cluster.registry == "localhost:5001"
    assert any(
        line.startswith("kind create cluster --name mainline --image kindest/node:v1@sha256:1") for line in lines
    )
    assert "docker run --detach --name mainline-registry --publish 127.0.0.1:5001:5000 registry:2@sha256:2" in lines
    assert "docker network connect kind mainline-registry" in lines
    made = json.loads((tmp_path / "build/cluster/bases.json").read_text(encoding="utf-8"))
    assert made == {"python": "docker.io/python:3@sha256:3", "uv": "mine@sha256:4"}


def test_second_time_makes_nothing(tmp_path: Path, told: Callable[[], list[str]]) -> None:
    up(tmp_path, "docker", VERSIONS, {})
    before = len(told())
    up(tmp_path, "docker", VERSIONS, {})
    assert not [line for line in told()[before:] if line.startswith(("kind create", "docker run"))]


def test_down_takes_both(tmp_path: Path, told: Callable[[], list[str]]) -> None:
    up(tmp_path, "docker", VERSIONS, {})
    down("docker")
    assert told()[-3:] == [
        "kind delete cluster --name mainline",
        "docker ps --all --format {{.Names}}",
        "docker rm --force mainline-registry",
    ]


def test_failure_tells_the_command_and_its_words(tmp_path: Path, told: Callable[[], list[str]]) -> None:
    (tmp_path / "programs" / "kind").write_text("#!/bin/sh\necho no space left >&2\nexit 1\n", encoding="utf-8")
    with pytest.raises(KindFailed, match="kind get clusters: no space left"):
        up(tmp_path, "docker", VERSIONS, {})


def test_gpu_node_of_the_configuration_is_the_one_that_is_patched() -> None:
    nodes = yaml.safe_load(kind_cluster._CONFIG.read_text(encoding="utf-8"))["nodes"]
    workers = [node for node in nodes if node["role"] == "worker"]
    assert [bool(node.get("labels")) for node in workers] == [False, True, False]
    assert kind_cluster._GPU_NODE == "mainline-worker2"
