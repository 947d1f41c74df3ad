"""Parts of the platform that a cluster may have or not: Traefik for exact shares of traffic, KEDA for autoscaling.

Called by `python -m pipelines.cluster add PART`. kustomize/platform/production brings KEDA along; a development cluster
gets a part when it is asked for.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from models.errors import ConfigError
from pipelines.build import build_folder, objects
from pipelines.cluster.kubectl import Kubectl
from pipelines.cluster.phases import Object, definitions, deployments, phases
from pipelines.cluster.platform_tree import copy, localise
from pipelines.cluster.readiness import wait_available
from pipelines.cluster.upstream import module_folder

Say = Callable[[str], None]
PARTS = ("keda", "traefik")
_AVAILABLE_SECONDS = 300.0


def add(root: Path, kubectl: Kubectl, part: str, *, modules: bool, say: Say) -> None:
    """Applies a part and returns when it is available. A second time changes nothing.

    Args:
        modules: whether upstream's manifests come from Go modules instead of git.

    Raises:
        ConfigError: no such part, or it does not build.
        NotReady: it did not become available; the message says why.
    """
    built = build_part(root, part, folder_of=module_folder if modules else None)
    order = phases(built)
    say(f"{part}: applying {len(built)} objects")
    kubectl.apply(order.first)
    names = [f"crd/{name}" for name in definitions(built)]
    kubectl.run("wait", "--for=condition=Established", "--timeout=120s", *names)
    kubectl.apply((*order.rights, *order.running, *order.own))
    wait_available(kubectl, deployments(built), seconds=_AVAILABLE_SECONDS, say=say)
    say(f"{part}: available")


def build_part(root: Path, part: str, *, folder_of: Callable[[str, str], Path] | None) -> list[Object]:
    """The part's objects; upstream's from Go modules where `folder_of` says where these are.

    Raises:
        ConfigError: no such part, or Kustomize refuses it.
    """
    if part not in PARTS:
        raise ConfigError([f"part: got {part!r}, must be one of {', '.join(PARTS)}"])
    with tempfile.TemporaryDirectory(prefix="mainline-part-") as scratch:
        tree = Path(scratch) / "tree"
        copy(root, tree)
        folder = f"manifests/platform/{part}"
        if folder_of is not None:
            localise(tree, folder, folder_of)
        return list(objects(build_folder(tree, folder)))
