"""The object store is away while a model trains: for a while, and tries bridge it; for good, and the end is clear."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e import slow_training
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import DEPLOYMENT, Cluster
from tests.e2e.waiting import Clock, NotYet, until

pytestmark = pytest.mark.full


@pytest.fixture
def store(cluster: Cluster) -> str:
    if cluster.kube.get(DEPLOYMENT, "s3", "storage") is None:
        pytest.skip("the cluster's object store is not its own: nothing to take away")
    return "s3"


def test_a_store_that_comes_back_is_waited_for(cluster: Cluster, forge: Forge, figures: Figures, store: str) -> None:
    training = slow_training.push(cluster, forge, f"fault/store-away-{int(time.time())}", epochs=20)
    pod = training.wait_epoch(5, seconds=180)
    _, done = training.epochs(pod)
    clock = Clock()
    with _gone(cluster, store):
        until("the store is away for 40 s", lambda: _passed(clock, 40), seconds=60)
    training.workflow.wait_succeeded(seconds=420)
    figures.note("store gone while training", "gone_to_trained_seconds", clock.seconds)
    assert done >= 5


@contextmanager
def _gone(cluster: Cluster, name: str) -> Iterator[None]:
    cluster.kubectl("scale", "-n", "storage", f"deployment/{name}", "--replicas=0")
    cluster.kubectl("wait", "-n", "storage", "--for=delete", "pod", "-l", f"app.kubernetes.io/name={name}")
    try:
        yield
    finally:
        cluster.kubectl("scale", "-n", "storage", f"deployment/{name}", "--replicas=1")
        cluster.kubectl("rollout", "status", "-n", "storage", f"deployment/{name}", "--timeout=90s")


def _passed(clock: Clock, seconds: float) -> None:
    if clock.seconds < seconds:
        raise NotYet(f"{clock.seconds:.0f} s")
