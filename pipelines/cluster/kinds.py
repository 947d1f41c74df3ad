"""Argo's kinds in a cluster: 8 MB of schema, applied when they change and not once more.

What was applied is known by a label that holds the hash of the pinned references, since to apply it again takes the API
server half a minute.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipelines.build import build_folder
from pipelines.cluster.kubectl import Kubectl
from pipelines.cluster.platform_tree import copy, localise
from pipelines.cluster.upstream import module_folder

Say = Callable[[str], None]
FOLDER = "manifests/platform/kinds"
LABEL = "mainline.dev/kinds"
_HEX_DIGITS = 32  # a label holds at most 63 characters


def apply_kinds(root: Path, kubectl: Kubectl, *, modules: bool, say: Say) -> None:
    """Returns when the API server serves every kind.

    Args:
        modules: whether upstream's manifests come from Go modules instead of git.
    """
    digest = hashlib.sha256((root / FOLDER / "kustomization.yaml").read_bytes()).hexdigest()[:_HEX_DIGITS]
    if kubectl.run("get", "crd", "-l", f"{LABEL}={digest}", "-o", "name").strip():
        return
    say("applying Argo's kinds")
    names = kubectl.apply_text(_built(root, modules=modules))
    kubectl.run("wait", "--for=condition=Established", "--timeout=120s", *names)
    # last, and on all at once: one that is there says that all are
    kubectl.run("label", "--overwrite", *names, f"{LABEL}={digest}")


def _built(root: Path, *, modules: bool) -> str:
    with tempfile.TemporaryDirectory(prefix="mainline-kinds-") as scratch:
        tree = Path(scratch) / "tree"
        copy(root, tree)
        if modules:
            localise(tree, FOLDER, module_folder)
        return build_folder(tree, FOLDER)
