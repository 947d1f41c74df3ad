"""What a development cluster has of its own, where production has somebody else's: an object store and a forge."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.cluster import secrets
from pipelines.cluster.buckets import make_buckets
from pipelines.cluster.kubectl import Kubectl
from pipelines.cluster.phases import Object
from pipelines.cluster.readiness import wait_available
from pipelines.cluster.secrets import PERSON, ROBOT, Store
from pipelines.cluster.seeding import (
    OWNER,
    REPOSITORY,
    Accounts,
    ensure_accounts,
    ensure_repository,
    push_checkout,
    push_data,
)
from pipelines.cluster.store_rights import Role, made_accounts

Say = Callable[[str], None]
_SECONDS = 600.0
_KEDA = "scaledobjects.keda.sh"
# The reconciler trains what main says and nobody trained, from this commit on.
_SINCE = "trained-since"


@dataclass(frozen=True)
class OwnStore:
    """The development cluster's object store: its owner's keys, and each role's."""

    kubectl: Kubectl
    keys: Store
    roles: Mapping[Role, Store]

    def fill(self, root: Path, buckets: Sequence[str], *, say: Say) -> None:
        """Makes the buckets and pushes the data that this checkout pins; a store that has all of it stays as it is."""
        wait_available(self.kubectl, [("storage", "s3")], seconds=_SECONDS, say=say)
        with self.kubectl.forwarded("storage", "svc/s3", 7070) as address:
            made = make_buckets(self.keys, f"http://{address}", buckets)
            if made:
                say(f"store: made {', '.join(made)}")
            push_data(root, self.keys, f"http://{address}", say=say)


@dataclass(frozen=True)
class Forge:
    """A forge as the platform knows it: its Secrets, and since which commit of main models are trained."""

    secrets: Sequence[Object]
    since: str = ""

    def configured(self, templates: Sequence[Object]) -> list[Object]:
        """The workflow templates, those that ask since when models are trained told so."""
        return [_with_parameter(item, _SINCE, self.since) if self.since else item for item in templates]


def own_store(kubectl: Kubectl) -> OwnStore:
    """The store's keys, made where there are none yet."""
    keys = secrets.own_store(source_secret(kubectl, "s3", "storage", secrets.made_store))
    accounts = source_secret(kubectl, "s3-accounts", "storage", made_accounts)
    return OwnStore(kubectl, keys, secrets.own_stores(accounts))


def own_forge(kubectl: Kubectl, root: Path, *, serving: str, sender: str, say: Say) -> Forge:
    """The forge with its accounts, this checkout's HEAD as the first commit of its main, and the webhook.

    Args:
        sender: bearer token of the account that the webhook speaks as.
    """
    source_secret(kubectl, "gitea", "forge", secrets.made_forge)
    webhook = webhook_clients(kubectl)
    known = source_secret(kubectl, "accounts", "forge", secrets.made_accounts)
    wait_available(kubectl, [("forge", "gitea")], seconds=_SECONDS, say=say)
    with _forge_address(kubectl) as address:
        accounts = ensure_accounts(kubectl, address, _accounts(known))
        kubectl.apply([secrets.secret("accounts", "forge", _written(accounts))])

        def push(url: str) -> None:
            commit = push_checkout(root, url, accounts, serving=serving, keda=_has(kubectl, _KEDA), say=say)
            kubectl.apply([_seeded(commit)])

        ensure_repository(address, accounts, secrets.webhook_secret(webhook), sender=sender, push=push)
    found = kubectl.get("configmap", "seed", "delivery")
    data = found.get("data") if found else None
    return Forge(
        secrets.forge_secrets(
            url=f"{secrets.FORGE_ADDRESS}/api/v1",
            token=accounts.robot_token,
            source_token=accounts.source_token,
            username=ROBOT,
            repository=f"{secrets.FORGE_ADDRESS}/{OWNER}/{REPOSITORY}.git",
        ),
        since=str(data["commit"]) if isinstance(data, Mapping) else "",
    )


@contextmanager
def _forge_address(kubectl: Kubectl) -> Iterator[str]:
    with kubectl.forwarded("forge", "svc/gitea", 3000) as address:
        yield f"http://{address}"


def webhook_clients(kubectl: Kubectl) -> dict[str, str]:
    """Whom Argo's server takes webhooks from, by their signature; made where there is nobody yet."""
    return source_secret(kubectl, "argo-workflows-webhook-clients", "delivery", secrets.made_webhook)


def source_secret(kubectl: Kubectl, name: str, namespace: str, make: Callable[[], Mapping[str, str]]) -> dict[str, str]:
    """What a Secret holds that is made here once and kept."""
    data, is_new = secrets.kept(lambda n, place: kubectl.get("secret", n, place), name, namespace, make)
    if is_new:
        kubectl.apply([secrets.secret(name, namespace, data)])
    return data


def _accounts(data: Mapping[str, str]) -> Accounts:
    person, robot, source = (data.get(f"{name}-token", "") for name in (PERSON, ROBOT, "source"))
    return Accounts(data[PERSON], data[ROBOT], person, robot, source)


def _written(accounts: Accounts) -> dict[str, str]:
    return {
        PERSON: accounts.person_password,
        ROBOT: accounts.robot_password,
        f"{PERSON}-token": accounts.person_token,
        f"{ROBOT}-token": accounts.robot_token,
        "source-token": accounts.source_token,
    }


def _seeded(commit: str) -> Object:
    """Which commit the installer pushed: what came before it is not trained here."""
    metadata = {"name": "seed", "namespace": "delivery", "labels": {"app.kubernetes.io/part-of": "mainline"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"commit": commit}}


def _has(kubectl: Kubectl, definition: str) -> bool:
    return kubectl.get("crd", definition) is not None


def _with_parameter(item: Object, name: str, value: str) -> Object:
    """A workflow template with one parameter's value set, where it has that parameter."""
    changed: dict[str, object] = copy.deepcopy(dict(item))
    spec = changed.get("spec")
    arguments = spec.get("arguments", {}) if isinstance(spec, dict) else {}
    for parameter in arguments.get("parameters", []) if isinstance(arguments, dict) else []:
        if parameter.get("name") == name:
            parameter["value"] = value
    return changed
