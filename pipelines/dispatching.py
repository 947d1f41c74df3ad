"""From a push to Workflows in a cluster: one for each model that it concerns, named so that a second one is harmless.

Called by `steps.dispatch`, which a forge's webhook starts, and by the reconciler for what no webhook told. Everything
that decides is read from git; the cluster is only given the Workflows.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.errors import ConfigError
from pipelines.changed import changed_between
from pipelines.gitstore import Store
from pipelines.kube import WORKFLOW, Cluster
from pipelines.pushes import Push
from pipelines.submit import MAIN, Request, resource_class

NAMESPACE = "training"
MODEL = "mainline.dev/model"
COMMIT = "mainline.dev/commit"
REASON = "mainline.dev/reason"


@dataclass(frozen=True)
class Order:
    """One training to submit: what, in which resource class, and why."""

    request: Request
    resources: str
    reason: str


def orders(store: Store, push: Push, say: Callable[[str], None]) -> list[Order]:
    """What a push concerns, by model; what a person may wonder about is said.

    A commit that the forge no longer gives (the branch was forced away, or is gone) concerns nothing: a later push did.
    """
    where = f"{push.branch} {push.new[:12]}"
    if not store.is_ancestor(push.old, push.new):
        store.deepen()  # it is further back, or the branch is new, or was forced
    for commit in (push.old, push.new):
        if set(commit) != {"0"} and store.resolve(commit) is None:
            store.fetch(commit)
    if store.resolve(push.new) is None:
        say(f"{where}: the forge no longer has this commit: nothing to train")
        return []
    changes = changed_between(store.folder, push.old, push.new, main="" if push.branch == MAIN else MAIN)
    for note in changes.notes:
        say(f"{where}: {note}")
    if not changes.models:
        say(f"{where}: nothing to train")
    return [order(store, Request(model, push.new, push.branch), changes.reasons[model]) for model in changes.models]


def order(store: Store, request: Request, reason: str) -> Order:
    """A training, with the class that the commit's model.yaml names."""
    return Order(request, resource_class(store.folder, request), reason)


def submit(cluster: Cluster, wanted: Iterable[Order], repo: str, say: Callable[[str], None]) -> list[str]:
    """Submits what is not there yet; the names of what was.

    Raises:
        KubeFailed: the API server did not take one; those before it are there, and the next try finds them.
    """
    created = []
    for each in wanted:
        name = each.request.workflow
        new = cluster.create(workflow(each, repo))
        say(f"{name}: {'submitted' if new else 'is there already'}: {each.reason}")
        created += [name] if new else []
    return created


def workflow(order: Order, repo: str) -> dict[str, Any]:
    """The Workflow that runs an order, by reference to the rendered template of its class."""
    request = order.request
    parameters: Mapping[str, str] = {
        "model": request.model,
        "commit": request.commit,
        "branch": request.branch,
        "repo": repo,
    }
    if request.dirty:
        raise ConfigError([f"{request.workflow}: is a dirty tree; a cluster trains commits"])
    return {
        "apiVersion": WORKFLOW[0],
        "kind": WORKFLOW[1],
        "metadata": {
            "name": request.workflow,
            "namespace": NAMESPACE,
            "labels": {
                "app.kubernetes.io/name": "train",
                "app.kubernetes.io/part-of": "mainline",
                MODEL: request.model,
                COMMIT: request.commit,
            },
            "annotations": {REASON: order.reason},
        },
        "spec": {
            "workflowTemplateRef": {"name": f"train-{order.resources}"},
            "arguments": {"parameters": [{"name": name, "value": value} for name, value in parameters.items()]},
        },
    }
