"""From a prediction, a server, a run or a digest back to the version, the commit, the data and who approved it.

What `mainline lineage` prints. The server says its digest, MLflow ties it to run and commit, git tells who let it in.
"""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

from models.errors import ConfigError, MainlineError
from pipelines import lineage, tracking
from pipelines.approvals import approvals

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ANSWER_SECONDS = 10


class CannotTrace(MainlineError):  # noqa: N818  (states what is so)
    """A link of the chain is missing; the message says which and where it was looked for."""


def trace(what: str, root: Path) -> dict[str, str]:
    """Walk from `what` to the person who approved it.

    Args:
        what: a server's address (http or https), an MLflow run id or a bundle's digest.
        root: checkout whose history holds the releases.

    Returns:
        What was found, in the order of the walk: name of each step to its value.

    Raises:
        CannotTrace: the server does not answer, or contradicts what MLflow recorded.
        RunNotFound: the store knows no such run or digest.
        ConfigError: `what` is none of the three.
    """
    walk: dict[str, str] = {}
    key = what
    if what.startswith(("http://", "https://")):
        served = _metadata(what)
        walk |= {"server": what, "model served": f"{served['model']} version {served['version']}"}
        key = str(served["digest"])
    elif not _DIGEST.fullmatch(what) and not re.fullmatch(r"[0-9a-f]{32}", what):
        raise ConfigError(
            [f"lineage: got {what!r}, must be a server's URL, a run id (32 hex digits) or a digest (sha256:...)"]
        )
    run = tracking.find_run(key)
    return walk | _from_run(run, root, key if key.startswith("sha256:") else run.tags.get(lineage.DIGEST, ""))


def _from_run(run: tracking.Run, root: Path, digest: str) -> dict[str, str]:
    tags = run.tags
    model = tags[lineage.MODEL]
    registered = [version for version in tracking.versions(model) if version.digest == digest]
    walk = {
        "digest": digest or "none: no bundle came of this run",
        "version": f"{model} {registered[0].number}"
        if registered
        else f"none: {tags.get(lineage.REASON, 'not registered')}",
        "run": f"{run.id} ({run.status})",
        "workflow": tags[lineage.WORKFLOW],
        "training image": tags[lineage.IMAGE],
        "commit": tags[lineage.COMMIT] + (" (dirty)" if tags[lineage.DIRTY] == "true" else ""),
        "data md5": tags[lineage.DATA_MD5],
    }
    for approval in approvals(root, model, digest) if digest else ():
        walk.setdefault(f"{approval.environment} commit", f"{approval.commit} ({approval.subject})")
        walk.setdefault(f"{approval.environment} proposed by", approval.proposed_by)
        walk.setdefault(f"{approval.environment} approved by", f"{approval.approver}, {approval.at}")
    return walk


def _metadata(url: str) -> dict[str, object]:
    address = url.rstrip("/").removesuffix("/metadata") + "/metadata"
    try:
        with urllib.request.urlopen(address, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310  (http or https, checked)
            served = json.load(answer)
    except (urllib.error.URLError, TimeoutError, json.JSONDecodeError) as error:
        raise CannotTrace(f"{address}: no metadata ({error}): is the server up and ready?") from error
    missing = [key for key in ("model", "version", "digest") if key not in served]
    if missing:
        raise CannotTrace(f"{address}: the answer lacks {', '.join(missing)}: is this a Mainline server?")
    return dict(served)
