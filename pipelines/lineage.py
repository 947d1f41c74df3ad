"""The tags that tie a registered version to commit, data, image and run; written by tracking, read on the way back."""

import hashlib
import json
from dataclasses import dataclass

from models.spec import ModelSpec

MODEL = "mainline.model"
COMMIT = "mainline.commit"
DIRTY = "mainline.dirty"
DATA_MD5 = "mainline.data_md5"
PARAMETERS_HASH = "mainline.parameters_hash"
DIGEST = "mainline.digest"
WORKFLOW = "mainline.workflow"
IMAGE = "mainline.image"
BRANCH = "mainline.branch"
VERDICT = "mainline.verdict"
REASON = "mainline.reason"
URI = "mainline.uri"
VERSION = "mainline.version"
OUTCOME = "mainline.outcome"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a training comes from: everything that decides what it will produce, and what ran it."""

    model: str
    commit: str
    branch: str
    data_md5: str
    workflow: str
    image: str
    dirty: bool

    def tags(self) -> dict[str, str]:
        """The tags of the run; MLflow holds strings only, so `dirty` is `true` or `false`."""
        return {
            MODEL: self.model,
            COMMIT: self.commit,
            BRANCH: self.branch,
            DATA_MD5: self.data_md5,
            WORKFLOW: self.workflow,
            IMAGE: self.image,
            DIRTY: "true" if self.dirty else "false",
        }


def parameters_hash(spec: ModelSpec) -> str:
    """sha256 of the half of model.yaml that decides a training; equal where only owner or text differ."""
    text = json.dumps(spec.training_half(), sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
