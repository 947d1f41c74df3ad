"""Is what main says trained? The half of the reconciler that makes good a push of which nobody told the cluster.

It keeps no note of its own that could be lost or wrong: a model is due where its training at main's head differs from
the newest ancestor that has a Workflow or a run in MLflow. What failed was tried, and is for a person to look at.
"""

from collections.abc import Callable, Iterable, Mapping

from pipelines import lineage, tracking
from pipelines.changed import GitTree, changed_between, everything
from pipelines.dispatching import COMMIT, MODEL, NAMESPACE, Order, order, submit
from pipelines.gitstore import Store
from pipelines.kube import WORKFLOW, Cluster, Object
from pipelines.submit import MAIN, Request

Trained = Callable[[str], Iterable[str]]


def reconcile_trainings(
    cluster: Cluster, store: Store, repo: str, *, since: str = "", say: Callable[[str], None] = print
) -> list[str]:
    """Submits a training of main's head for every model that is due; the Workflows' names.

    Args:
        since: a commit at which all models count as trained; empty for none.

    Raises:
        KubeFailed: the API server did not answer; nothing is lost, the next turn asks again.
    """
    submitted = by_workflow(cluster.list(WORKFLOW, NAMESPACE, labels=MODEL))
    start = [since] if since else []

    def in_cluster(model: str) -> list[str]:
        return [*submitted.get(model, ()), *start]

    def anywhere(model: str) -> list[str]:
        return [*in_cluster(model), *_runs(model)]

    head = store.resolve(f"refs/heads/{MAIN}")
    if head is None:
        return []
    # MLflow is asked only about models that the Workflows at hand leave open
    doubtful = [each.request.model for each in due(store, head, in_cluster)]
    wanted = due(store, head, anywhere, models=doubtful) if doubtful else []
    return submit(cluster, wanted, repo, say)


def due(store: Store, head: str, trained: Trained, *, models: Iterable[str] | None = None) -> list[Order]:
    """The trainings of a commit of main that are missing, by model.

    Args:
        trained: the commits of main at which a model was trained, or was tried to be.
        models: which to look at; all that the commit has where absent.
    """
    history = store.git("rev-list", head).splitlines()
    wanted = everything(GitTree(store.folder, head), "").models if models is None else tuple(models)
    orders = []
    for model in wanted:
        known = set(trained(model))
        last = next((commit for commit in history if commit in known), None)
        reason = _reason(store, model, last, head)
        if reason:
            orders.append(order(store, Request(model, head, MAIN), reason))
    return orders


def by_workflow(workflows: Iterable[Object]) -> Mapping[str, list[str]]:
    """Model to the commits that were submitted as main's; a report of a branch trained nothing that is released."""
    found: dict[str, list[str]] = {}
    for workflow in workflows:
        labels = workflow["metadata"].get("labels", {})
        model, commit = labels.get(MODEL, ""), labels.get(COMMIT, "")
        if workflow["metadata"]["name"] == Request(model, commit, MAIN).workflow:
            found.setdefault(model, []).append(commit)
    return found


def _runs(model: str) -> list[str]:
    tags = [run.tags for run in tracking.runs(model)]
    return [t[lineage.COMMIT] for t in tags if t.get(lineage.BRANCH) == MAIN and t.get(lineage.DIRTY) == "false"]


def _reason(store: Store, model: str, last: str | None, head: str) -> str:
    """Why a model is due; empty where it is not."""
    if last is None:
        return "no commit of main was trained yet"
    why = changed_between(store.folder, last, head).reasons.get(model)
    return f"no webhook told: {why}, since {last[:12]} was trained" if why else ""
