"""Who may do what in the development cluster's object store: one account a role, each bucket a policy that names them.

Serving reads bundles and writes what it captures; the judge reads both; training writes bundles and checkpoints and
reads data; delivery writes bundles and what it records; a person pushes data, and both the rows and the predictions of
batches lie where trainings' pods and a person may write. In a store that is somebody else's, its own policies say so.
"""

import json
import secrets
from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """Whose pods hold an account's keys."""

    SERVING = "serving"
    JUDGING = "judging"
    TRAINING = "training"
    DELIVERY = "delivery"
    PERSON = "developer"


class Right(StrEnum):
    """What an account may do with a bucket's objects."""

    READ = "read"
    WRITE = "write"
    APPEND = "append"


RIGHTS: Mapping[str, Mapping[Role, Right]] = {
    "mainline-artifacts": {
        Role.SERVING: Right.READ,
        Role.JUDGING: Right.READ,
        Role.TRAINING: Right.WRITE,
        Role.DELIVERY: Right.WRITE,
        Role.PERSON: Right.READ,
    },
    "mainline-checkpoints": {Role.TRAINING: Right.WRITE},
    "mainline-captures": {Role.SERVING: Right.APPEND, Role.JUDGING: Right.READ},
    "mainline-data": {Role.TRAINING: Right.READ, Role.PERSON: Right.WRITE},
    "mainline-batch": {Role.TRAINING: Right.WRITE, Role.PERSON: Right.WRITE},
    "mainline-workflows": {Role.TRAINING: Right.WRITE, Role.DELIVERY: Right.WRITE, Role.PERSON: Right.READ},
}
BUCKETS = tuple(RIGHTS)
# Without leave to list, a store says 403 of an object that is not there, and nobody can tell it from a refusal.
_BUCKET_ACTIONS: Mapping[Right, tuple[str, ...]] = {
    Right.READ: ("s3:GetBucketLocation", "s3:ListBucket"),
    Right.WRITE: ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
    Right.APPEND: ("s3:GetBucketLocation",),
}
_OBJECT_ACTIONS: Mapping[Right, tuple[str, ...]] = {
    Right.READ: ("s3:GetObject",),
    Right.WRITE: (
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ),
    Right.APPEND: ("s3:PutObject", "s3:AbortMultipartUpload"),
}


def access_key(role: Role) -> str:
    """The public half of a role's keys, by which policies name it."""
    return f"mainline-{role}"


def policy(bucket: str) -> str:
    """A bucket's policy, as JSON."""
    statements = []
    for role, right in RIGHTS[bucket].items():
        for actions, resource in (
            (_BUCKET_ACTIONS[right], f"arn:aws:s3:::{bucket}"),
            (_OBJECT_ACTIONS[right], f"arn:aws:s3:::{bucket}/*"),
        ):
            who = {"AWS": [access_key(role)]}
            statements.append({"Effect": "Allow", "Principal": who, "Action": list(actions), "Resource": [resource]})
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, sort_keys=True)


def made_accounts() -> dict[str, str]:
    """Every role's secret key, in the one file that versitygw reads its accounts from."""
    accounts = {
        access_key(role): {
            "access": access_key(role),
            "secret": secrets.token_urlsafe(30),
            "role": "user",
            "userID": 0,
            "groupID": 0,
            "projectID": 0,
        }
        for role in Role
    }
    return {"users.json": json.dumps({"accessAccounts": accounts}, sort_keys=True)}


def secret_key(data: Mapping[str, str], role: Role) -> str:
    """A role's secret key, out of what `made_accounts` made."""
    return str(json.loads(data["users.json"])["accessAccounts"][access_key(role)]["secret"])
