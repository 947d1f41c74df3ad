"""What the platform keeps secret: made once at install, kept when it is there, never printed and never in git.

A *source* is a Secret that holds something made here (or given by the environment); the other Secrets are copies of it
in the form and the namespace where somebody reads it. This module is pure: `install` reads and writes them.
"""

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.errors import ConfigError

Data = Mapping[str, str]

BUCKETS = ("mainline-artifacts", "mainline-checkpoints", "mainline-captures", "mainline-data", "mainline-workflows")
STORE_ADDRESS = "http://s3.storage.svc:7070"
FORGE_ADDRESS = "http://gitea.forge.svc:3000"
REGION = "us-east-1"
# Who reads and writes objects, besides the namespaces that serve a model.
STORE_NAMESPACES = ("mainline", "training", "delivery")
WORKFLOW_NAMESPACES = ("training", "delivery")
FORGE_NAMESPACES = ("training", "delivery")
PERSON, ROBOT = "developer", "mainline-robot"


@dataclass(frozen=True)
class Store:
    """An object store: where it is, and with whose keys. `address` empty: AWS's own."""

    address: str
    region: str
    access_key: str
    secret_key: str


def made_store() -> dict[str, str]:
    """The keys of the development cluster's own store, as versitygw reads them."""
    return {"ROOT_ACCESS_KEY": f"mainline-{secrets.token_hex(6)}", "ROOT_SECRET_KEY": secrets.token_urlsafe(30)}


def made_forge() -> dict[str, str]:
    """What the development cluster's forge signs its sessions and hooks with."""
    return {
        "secret-key": secrets.token_urlsafe(48),
        "internal-token": secrets.token_urlsafe(64),
        # unpadded base64 of 32 bytes, as it decodes it
        "jwt-secret": base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode(),
    }


def made_accounts() -> dict[str, str]:
    """The passwords of the forge's two accounts: the person's, and the one that opens pull requests."""
    return {name: secrets.token_urlsafe(18) for name in (PERSON, ROBOT)}


def made_webhook() -> dict[str, str]:
    """Argo's own form: the key names the service account that a verified webhook acts as."""
    client = {"type": "github", "secret": secrets.token_urlsafe(36)}
    return {"github-webhook": json.dumps(client)}


def webhook_secret(data: Data) -> str:
    """What the forge signs its webhook with."""
    return str(json.loads(data["github-webhook"])["secret"])


def own_store(data: Data) -> Store:
    """The development cluster's store, by its keys."""
    return Store(STORE_ADDRESS, REGION, data["ROOT_ACCESS_KEY"], data["ROOT_SECRET_KEY"])


def given_store(environment: Mapping[str, str]) -> Store:
    """An object store that is there already, as the environment says it in AWS's own names.

    Raises:
        ConfigError: a name is missing.
    """
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise ConfigError([f"environment: {name}: got nothing, needed for the object store" for name in missing])
    access_key, secret_key, region = (environment[name] for name in names)
    return Store(environment.get("AWS_ENDPOINT_URL", ""), region, access_key, secret_key)


def object_store(store: Store) -> dict[str, str]:
    """The store in the names that obstore, boto, DVC and MLflow read from a pod's environment."""
    data = {
        "AWS_ACCESS_KEY_ID": store.access_key,
        "AWS_SECRET_ACCESS_KEY": store.secret_key,
        "AWS_REGION": store.region,
        "AWS_DEFAULT_REGION": store.region,
        # Nobody asks the cloud's metadata service: the policies close it.
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if store.address:
        data |= {"AWS_ENDPOINT_URL": store.address, "MLFLOW_S3_ENDPOINT_URL": store.address}
        # newer clients add trailing checksums, which only some stores understand
        data |= {
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }
    if store.address.startswith("http://"):
        data["AWS_ALLOW_HTTP"] = "true"
    return data


def store_secrets(store: Store, serving: Sequence[str]) -> list[dict[str, object]]:
    """The store's Secrets: `mainline-object-store` wherever a pod reads objects, `argo-artifacts` for the executors."""
    data = object_store(store)
    keys = {"accesskey": store.access_key, "secretkey": store.secret_key}
    everywhere = [secret("mainline-object-store", place, data) for place in (*STORE_NAMESPACES, *serving)]
    return everywhere + [secret("argo-artifacts", place, keys) for place in WORKFLOW_NAMESPACES]


def forge_secrets(*, url: str, token: str, username: str, repository: str) -> list[dict[str, object]]:
    """The forge's Secrets: `mainline-forge` for who proposes, `mainline-source` for who only fetches a commit."""
    data = {"url": url, "token": token, "username": username, "repository": repository}
    found = [secret("mainline-forge", place, data) for place in FORGE_NAMESPACES]
    return [*found, secret("mainline-source", "training", {"username": username, "password": token})]


def notification_secret(token: str) -> dict[str, object]:
    """The bearer token that Argo Rollouts' notifications show to Argo's server."""
    return secret("argo-rollouts-notification-secret", "argo-rollouts", {"argo-token": token})


def secret(name: str, namespace: str, data: Data) -> dict[str, object]:
    """A Secret as an object."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in sorted(data.items())}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "mainline"}},
        "type": "Opaque",
        "data": encoded,
    }


def decoded(found: Mapping[str, object]) -> dict[str, str]:
    """What a Secret of the cluster holds."""
    data = found.get("data")
    items = data.items() if isinstance(data, Mapping) else ()
    return {str(key): base64.b64decode(str(value)).decode() for key, value in items}


def kept(
    read: Callable[[str, str], Mapping[str, object] | None], name: str, namespace: str, make: Callable[[], Data]
) -> tuple[dict[str, str], bool]:
    """What a source Secret holds, and whether it was made just now, so that it must still be written."""
    found = read(name, namespace)
    if found is not None:
        return decoded(found), False
    return dict(make()), True
