"""The cluster of a Linux machine without a container engine: binaries from Go modules, nodes as network namespaces.

The work is done by tests/e2e/cluster/cluster.sh, which shows how far it is; a cold start builds for half an hour.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from models.errors import MainlineError
from pipelines.cluster.provider import STATE, Cluster, Provider
from pipelines.jsonfile import write_json

SCRIPT = Path("tests/e2e/cluster/cluster.sh")
REGISTRY = "10.90.0.1:5000"


class ClusterFailed(MainlineError):  # noqa: N818  (what happened)
    """A cluster could not be brought up or down; what the script printed says why."""


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """Where binaries, images and the running cluster's files lie."""
    if environment.get("MAINLINE_CLUSTER_DIR"):
        return Path(environment["MAINLINE_CLUSTER_DIR"])
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "mainline-cluster"


def up(root: Path) -> Cluster:
    """Brings it up; harmless when it is.

    Raises:
        ClusterFailed: see above.
    """
    _run(root, "up")
    made = {name: (home() / "img" / name).read_text(encoding="utf-8").strip() for name in ("python", "uv")}
    (root / STATE).mkdir(parents=True, exist_ok=True)
    write_json(root / STATE / "bases.json", made)
    kubeconfig = home() / "conf" / "admin.kubeconfig"
    return Cluster(Provider.SOURCE, kubeconfig, REGISTRY, plain_http=True, modules=True)


def down(root: Path) -> None:
    """Ends it and leaves its cache alone; PURGE=1 in the environment takes the cache too.

    Raises:
        ClusterFailed: see above.
    """
    _run(root, "down")


def binaries() -> Path:
    """Where its kubectl and the other binaries are."""
    return home() / "bin"


def _run(root: Path, *arguments: str) -> None:
    done = subprocess.run([str(root / SCRIPT), *arguments], stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise ClusterFailed(f"{SCRIPT} {' '.join(arguments)}: exit status {done.returncode}; its last lines say why")
