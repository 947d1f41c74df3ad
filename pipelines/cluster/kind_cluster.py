"""A cluster by kind, in containers of docker or podman, with a registry beside it as kind's documentation describes it.

Images are pushed to `localhost:5001` and pulled by the nodes under the same name. kind must be 0.27 or later, whose
nodes look for registries in /etc/containerd/certs.d.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from models.errors import MainlineError
from pipelines.cluster.provider import STATE, Cluster, Provider
from pipelines.jsonfile import write_json

NAME = "mainline"
REGISTRY = "localhost:5001"
_CONTAINER = "mainline-registry"
_CONFIG = Path(__file__).parent / "kind.yaml"
_GPU_NODE = "mainline-worker2"
# A node image is 1 GB to pull, the rest is two minutes.
_SECONDS = 1800.0


class KindFailed(MainlineError):  # noqa: N818  (what happened)
    """kind, or the engine below it, failed; the message is its own."""


def up(root: Path, engine: str, versions: Mapping[str, str], environment: Mapping[str, str]) -> Cluster:
    """Brings it up; harmless when it is.

    Args:
        engine: docker or podman.
        versions: of versions.env.

    Raises:
        KindFailed: see above.
    """
    kubeconfig = (root / STATE / "kind.kubeconfig").resolve()
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    if NAME not in _run("kind", "get", "clusters").split():
        node = versions["KIND_NODE_IMAGE"]
        _run("kind", "create", "cluster", "--name", NAME, "--image", node, "--config", str(_CONFIG), "--wait", "300s")
    _run("kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", str(kubeconfig))
    _registry(engine, versions["KIND_REGISTRY_IMAGE"])
    _gpu(kubeconfig)
    write_json(root / STATE / "bases.json", _bases(engine, versions, environment))
    return Cluster(Provider.KIND, kubeconfig, REGISTRY, plain_http=True)


def down(engine: str) -> None:
    """Removes the cluster and its registry.

    Raises:
        KindFailed: see above.
    """
    _run("kind", "delete", "cluster", "--name", NAME)
    if _container(engine):
        _run(engine, "rm", "--force", _CONTAINER)


def _registry(engine: str, image: str) -> None:
    if not _container(engine):
        _run(engine, "run", "--detach", "--name", _CONTAINER, "--publish", "127.0.0.1:5001:5000", image)
    networks = json.loads(_run(engine, "inspect", "--format", "{{json .NetworkSettings.Networks}}", _CONTAINER))
    if "kind" not in networks:
        _run(engine, "network", "connect", "kind", _CONTAINER)
    hosts = f'[host."http://{_CONTAINER}:5000"]\n'
    folder = f"/etc/containerd/certs.d/{REGISTRY}"
    for node in _run("kind", "get", "nodes", "--name", NAME).split():
        _run(engine, "exec", node, "mkdir", "-p", folder)
        _run(engine, "exec", "--interactive", node, "cp", "/dev/stdin", f"{folder}/hosts.toml", given=hosts)


def _gpu(kubeconfig: Path) -> None:
    """What a device plugin would tell of a node with one GPU."""
    told = [
        {"op": "add", "path": f"/status/{kind}/nvidia.com~1gpu", "value": "1"} for kind in ("capacity", "allocatable")
    ]
    options = ("--subresource=status", "--type=json", "-p", json.dumps(told))
    _run("kubectl", f"--kubeconfig={kubeconfig}", "patch", "node", _GPU_NODE, *options)


def _bases(engine: str, versions: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The base images by the digest that their tag has today, unless the environment names them."""
    found = {}
    for name in ("python", "uv"):
        variable = f"{name.upper()}_IMAGE"
        found[name] = environment.get(variable, "")
        if not found[name]:
            tag = versions[variable]
            _run(engine, "pull", tag)
            found[name] = _run(engine, "image", "inspect", "--format", "{{index .RepoDigests 0}}", tag).strip()
    return found


def _container(engine: str) -> bool:
    return _CONTAINER in _run(engine, "ps", "--all", "--format", "{{.Names}}").split()


def _run(*command: str, given: str | None = None) -> str:
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as err:
        raise KindFailed(f"{' '.join(command)}: not done after {_SECONDS:.0f} s") from err
    if done.returncode != 0:
        raise KindFailed(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
