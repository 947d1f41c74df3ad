"""What only deploying knows, put on the Rollout's own metadata: who let the release in, by which commit, and when.

Argo's pages show it beside the rollout. Never in the pod template: a revert must give back the former template.
Called by `python -m pipelines.build --cluster`, whose output is what is applied.
"""

from collections.abc import Sequence
from pathlib import Path

import yaml

from models.errors import GateClosed
from models.release import read_release, release_path
from pipelines.approvals import approvals, last_change
from pipelines.build import Object

_PREFIX = "mainline.dev/"


def deployed(built: Sequence[Object], root: Path, environment: str, model: str) -> str:
    """The objects as YAML, the Rollout annotated with approver, merge commit, proposer and time of its release.

    Raises:
        GateClosed: git's history on the checkout's head does not hold the release, so nobody let it in.
    """
    release = read_release(root / release_path(environment, model))
    found = [each for each in approvals(root, model, release.digest) if each.environment == environment]
    if not found:
        raise GateClosed(
            f"{model} version {release.version} ({release.digest}): no commit on this branch released it to "
            f"{environment}: commit or merge release.yaml first, a cluster runs what git says"
        )
    entry = last_change(root, environment, model)
    known = {
        "approver": entry.approver,
        "merge-commit": entry.commit,
        "merge": entry.subject,
        "proposed-by": entry.proposed_by,
        "approved-at": entry.at,
    }
    annotated = [_annotated(each, known) if each.get("kind") == "Rollout" else each for each in built]
    return str(yaml.safe_dump_all(annotated, sort_keys=False, allow_unicode=True, width=120))


def _annotated(rollout: Object, known: dict[str, str]) -> Object:
    metadata = rollout.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    former = metadata.get("annotations")
    added = {_PREFIX + name: value for name, value in known.items()}
    metadata["annotations"] = (dict(former) if isinstance(former, dict) else {}) | added
    return {**rollout, "metadata": metadata}
