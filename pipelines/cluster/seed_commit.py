"""The one commit that makes this checkout a development cluster's own: its images, its data's address, short rollouts.

The cluster's forge gets this checkout's HEAD and that commit on top. Everything else is as it is in git: the same gates
with the same thresholds.
"""

import dataclasses
import re
from pathlib import Path

from models.errors import ConfigError
from models.release import read_release, render_release

REHEARSAL = "rehearsal"
FIXED_SIZE = "fixed-size"
DVC_CONFIG = """\
[core]
    analytics = false
    check_update = false
    remote = s3
['remote "s3"']
    url = s3://mainline-data
"""
MESSAGE = """\
cluster: images by digest, data in the object store, rollouts of a minute

Written by `make cluster` for this development cluster alone.

- release.yaml names the serving image that was pushed to this cluster's registry.
- .dvc/config names the cluster's object store, where `dvc push` put the data.
- Every overlay ends with component `rehearsal`: the same gates with the same thresholds, asked every second instead of
  every 15 and for a minute instead of ten. Take it away for rollouts as they are in production.
"""
NO_KEDA = """\
- Production overlays end with component `fixed-size`: this cluster has no KEDA, and an autoscaler that is not there
  would leave a Rollout without replicas.
"""


def seed(tree: Path, *, serving: str, keda: bool) -> str:
    """Changes the files of a checkout; returns the message of the commit that they are for.

    Args:
        tree: the root of a clean clone.
        serving: the serving image by digest.
        keda: whether the cluster has KEDA, so that overlays may bring an autoscaler.

    Raises:
        ConfigError: an overlay is not as `mainline new` writes it.
    """
    for path in sorted((tree / "kustomize" / "overlays").glob("*/*/release.yaml")):
        released = dataclasses.replace(read_release(path), image=serving)
        path.write_text(render_release(released), encoding="utf-8")
        overlay = path.with_name("kustomization.yaml")
        text = overlay.read_text(encoding="utf-8")
        if not keda and path.parent.parent.name == "production":
            text = with_component(text, FIXED_SIZE, at=str(overlay))
        overlay.write_text(with_component(text, REHEARSAL, at=str(overlay)), encoding="utf-8")
    (tree / ".dvc" / "config").write_text(DVC_CONFIG, encoding="utf-8")
    return MESSAGE + ("" if keda else NO_KEDA)


def with_component(overlay: str, component: str, *, at: str) -> str:
    """An overlay's kustomization with one more component, the last.

    Raises:
        ConfigError: it has no list of components.
    """
    line = f"  - ../../../components/{component}\n"
    if line in overlay:
        return overlay
    found = re.search(r"^components:\n(?:  - .*\n|  #.*\n)+", overlay, re.MULTILINE)
    if found is None:
        raise ConfigError([f"{at}: components: not found, must be a list with an item on each line"])
    return overlay[: found.end()] + line + overlay[found.end() :]
