"""Installs the platform on a cluster that answers, and takes it away again.

In order: namespaces and kinds, secrets, what runs, then what only exists once that runs (buckets, accounts, the
repository, the webhook), and last the workflow templates. Every part is found or made: a second run changes nothing.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import environ as process_environment
from pathlib import Path

from pipelines.build import objects
from pipelines.cluster import secrets
from pipelines.cluster.given_parts import given_parts
from pipelines.cluster.image_pulls import finish_pulls, start_pulls
from pipelines.cluster.kinds import apply_kinds
from pipelines.cluster.kubectl import Kubectl
from pipelines.cluster.own_parts import own_forge, own_store, webhook_clients
from pipelines.cluster.phases import Object, Phases, definitions, deployments, phases, serving_namespaces
from pipelines.cluster.platform_tree import build_platform
from pipelines.cluster.readiness import NotReady, wait_available
from pipelines.cluster.store_rights import BUCKETS
from pipelines.cluster.upstream import module_folder

Say = Callable[[str], None]
PRODUCTION = "production"
# Images of a cluster that has just been made are on their way: minutes on a slow line.
_AVAILABLE_SECONDS = 600.0
_TOKEN_SECONDS = 30.0
# Images of pods that somebody waits for.
_EVERYWHERE = ("serving", "trainer")
# On everything that the installer applies of kustomize/platform.
LABEL = "mainline.dev/platform"
# First what would answer for a kind and is gone: no namespace ends while it is asked for and silent.
_WHOLE_CLUSTER = ("apiservices", "namespaces", "clusterrolebindings", "clusterroles", "priorityclasses", "crds")
# Deleted first, while their controllers can still finish what they own.
_OWN_KINDS = ("scaledobjects.keda.sh", "rollouts.argoproj.io", "workflows.argoproj.io", "cronworkflows.argoproj.io")


@dataclass(frozen=True)
class Target:
    """What is installed, and where.

    Attributes:
        kubectl: the cluster.
        images: serving, trainer, mlflow, judge (and trainer-gpu), each by digest.
        platform: development (its own store and forge) or production (both given by `environment`).
        modules: whether upstream's manifests come from Go modules instead of git.
        environment: AWS_*, MAINLINE_FORGE_* and MAINLINE_MLFLOW_DATABASE of a production platform.
    """

    kubectl: Kubectl
    images: Mapping[str, str]
    platform: str = "development"
    modules: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: dict(process_environment))


def install(root: Path, target: Target, *, say: Say) -> None:
    """Brings a cluster to what this checkout says.

    Raises:
        ConfigError: an image or a credential is missing.
        NotReady: a part did not become available; the message says why.
    """
    kubectl = target.kubectl
    given = given_parts(target.environment) if target.platform == PRODUCTION else None
    built = _built(root, target)
    order = phases(built)
    apply_kinds(root, kubectl, modules=target.modules, say=say)
    say(f"applying {len(built)} objects")
    kubectl.apply(order.first)
    _await_definitions(kubectl, definitions(built))
    kubectl.apply(order.rights)
    if given is None:
        templates = _with_own_parts(root, target, order, serving_namespaces(built), say=say)
    else:
        kubectl.apply([*given.secrets(serving_namespaces(built)), *order.running])
        webhook_clients(kubectl)
        templates = order.own
    kubectl.apply([secrets.notification_secret(_token(kubectl, "rollouts-notifier"))])
    kubectl.apply(templates)
    wait_available(kubectl, deployments(built), seconds=_AVAILABLE_SECONDS, say=say)
    kubectl.apply(order.last)
    say("the platform is available")


def _with_own_parts(root: Path, target: Target, order: Phases, serving: Sequence[str], *, say: Say) -> Sequence[Object]:
    """Starts what runs, and fills the store and the forge that the cluster has of its own; returns the templates.

    The nodes pull large images meanwhile.
    """
    kubectl = target.kubectl
    pulls = start_pulls(kubectl, [target.images[name] for name in _EVERYWHERE])
    store = own_store(kubectl)
    kubectl.apply([*secrets.store_secrets(store.roles, serving), *order.running])
    store.fill(root, BUCKETS, say=say)
    sender = _token(kubectl, "github-webhook")
    forge = own_forge(kubectl, root, serving=target.images["serving"], sender=sender, say=say)
    kubectl.apply(forge.secrets)
    if pulls:
        say("waiting for the nodes to pull the trainer's and the server's images")
        finish_pulls(kubectl)
    return forge.configured(order.own)


def uninstall(kubectl: Kubectl, *, say: Say) -> None:
    """Takes away what `install` put there: namespaces with all that is in them, kinds, rights of the whole cluster."""
    kinds = {str(item["metadata"]["name"]) for item in kubectl.items("crd", "-l", LABEL)}
    for kind in (each for each in _OWN_KINDS if each in kinds):
        say(f"removing {kind}")
        kubectl.run("delete", kind, "--all", "--all-namespaces", "--timeout=120s")
    for kind in _WHOLE_CLUSTER:
        say(f"removing {kind}")
        kubectl.run("delete", kind, "-l", LABEL, "--timeout=300s")
    kubectl.run("delete", "rolebindings", "-n", "kube-system", "-l", LABEL)
    say("the platform is gone")


def _built(root: Path, target: Target) -> list[Object]:
    with tempfile.TemporaryDirectory(prefix="mainline-platform-") as scratch:
        text = build_platform(
            root,
            Path(scratch) / "tree",
            target.platform,
            images=target.images,
            folder_of=module_folder if target.modules else None,
        )
    return list(objects(text))


def _await_definitions(kubectl: Kubectl, names: Sequence[str]) -> None:
    if names:
        crds = [f"crd/{each}" for each in names]
        kubectl.run("wait", "--for=condition=Established", "--timeout=120s", *crds)


def _token(kubectl: Kubectl, account: str) -> str:
    """The bearer token that the API server writes into the Secret of who sends events, soon after it was made."""
    name = f"{account}.service-account-token"
    end = time.monotonic() + _TOKEN_SECONDS
    while time.monotonic() < end:
        found = kubectl.get("secret", name, "delivery")
        token = secrets.decoded(found).get("token", "") if found else ""
        if token:
            return token
        time.sleep(0.5)
    raise NotReady(f"secret delivery/{name}: no token after {_TOKEN_SECONDS:.0f} s: does the controller manager run?")
