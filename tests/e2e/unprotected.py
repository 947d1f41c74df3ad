"""Takes a protection away for a while, in the name of who applies main: so main can be applied over it again."""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pipelines.applying import MANAGER
from pipelines.kube import ROLLOUT, Object
from tests.e2e.cluster_view import NAME, TEMPLATE
from tests.e2e.given import Cluster
from tests.e2e.waiting import say

_OURS = ("name", "namespace", "labels")


@contextmanager
def without_abort(cluster: Cluster, namespace: str) -> Iterator[None]:
    """A Rollout whose deadline says that it has passed, and does no more."""
    cluster.kube.merge(ROLLOUT, NAME, namespace, {"spec": {"progressDeadlineAbort": None}})
    say(f"{namespace}: progressDeadlineAbort is taken away")
    try:
        yield
    finally:
        cluster.kube.merge(ROLLOUT, NAME, namespace, {"spec": {"progressDeadlineAbort": True}})


@contextmanager
def passing_on_nothing(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Gates that ask Prometheus and take no answer for a good one."""
    with ExitStack() as changed:
        for each in cluster.kube.list(TEMPLATE, namespace):
            if any("prometheus" in metric["provider"] for metric in each["spec"]["metrics"]):
                changed.enter_context(_changed(cluster, each, _pass_on_nothing))
        yield


def _pass_on_nothing(template: Object) -> None:
    for metric in template["spec"]["metrics"]:
        metric["successCondition"] = f"len(result) == 0 || ({metric['successCondition']})"


@contextmanager
def _changed(cluster: Cluster, live: Object, change: Callable[[Object], None]) -> Iterator[None]:
    before = {
        **{key: live[key] for key in ("apiVersion", "kind", "spec")},
        "metadata": {key: value for key, value in live["metadata"].items() if key in _OURS},
    }
    other = copy.deepcopy(before)
    change(other)
    cluster.kube.apply(other, manager=MANAGER, force=True)
    say(f"{live['metadata']['name']}: changed")
    try:
        yield
    finally:
        cluster.kube.apply(before, manager=MANAGER, force=True)
