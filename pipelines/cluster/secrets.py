"""What the platform keeps secret: made once at install, kept when it is there, never printed and never in git.

A *source* is a Secret that holds something made here (or given by the environment); the other Secrets are copies of it
in the form and the namespace where somebody reads it. This module is pure: `install` reads and writes them.
"""

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.cluster.store_rights import Role, access_key, secret_key

Data = Mapping[str, str]

STORE_ADDRESS = "http://s3.storage.svc:7070"
FORGE_ADDRESS = "http://gitea.forge.svc:3000"
REGION = "us-east-1"
# Whose keys lie in which namespace, besides those that serve a model.
STORE_NAMESPACES = {"mainline": Role.JUDGING, "training": Role.TRAINING, "delivery": Role.DELIVERY}
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
    """The development cluster's store, by its owner's keys."""
    return Store(STORE_ADDRESS, REGION, data["ROOT_ACCESS_KEY"], data["ROOT_SECRET_KEY"])


def own_stores(accounts: Data) -> dict[Role, Store]:
    """The development cluster's store, by each role's keys."""
    return {role: Store(STORE_ADDRESS, REGION, access_key(role), secret_key(accounts, role)) for role in Role}


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


def store_secrets(stores: Mapping[Role, Store], serving: Sequence[str]) -> list[dict[str, object]]:
    """The store's Secrets: `mainline-object-store` wherever a pod reads objects, `argo-artifacts` for the executors.

    Args:
        stores: the store with the keys of each role.
        serving: the namespaces that serve a model.
    """
    places = {**STORE_NAMESPACES, **dict.fromkeys(serving, Role.SERVING)}
    found = [secret("mainline-object-store", place, object_store(stores[role])) for place, role in places.items()]
    for place in WORKFLOW_NAMESPACES:
        own = stores[STORE_NAMESPACES[place]]
        found.append(secret("argo-artifacts", place, {"accesskey": own.access_key, "secretkey": own.secret_key}))
    return found


def forge_secrets(
    *, url: str, token: str, source_token: str, username: str, repository: str
) -> list[dict[str, object]]:
    """The forge's Secrets: `mainline-forge` for who proposes, `mainline-source` for who only fetches a commit."""
    data = {"url": url, "token": token, "username": username, "repository": repository}
    found = [secret("mainline-forge", place, data) for place in FORGE_NAMESPACES]
    return [*found, secret("mainline-source", "training", {"username": username, "password": source_token})]


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
