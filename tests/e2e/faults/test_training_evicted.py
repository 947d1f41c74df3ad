"""A pod that trains is evicted: the next try goes on from the checkpoint in the object store, to a good end."""

import json
import time

import pytest

from tests.e2e import slow_training
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import Cluster
from tests.e2e.waiting import Clock

pytestmark = pytest.mark.e2e
_EPOCHS = 25


def test_an_evicted_training_goes_on_from_its_checkpoint(cluster: Cluster, forge: Forge, figures: Figures) -> None:
    training = slow_training.push(cluster, forge, f"fault/evicted-{int(time.time())}", epochs=_EPOCHS)
    pod = training.wait_epoch(8, seconds=180)
    begun, done = training.epochs(pod)
    assert begun == 0
    clock = Clock()
    _evict(cluster, pod)
    other = training.wait_epoch(done + 1, seconds=180, but=pod)
    figures.note("training evicted", "eviction_to_next_epoch_seconds", clock.seconds)
    assert training.epochs(other)[0] >= done, "what the evicted pod had done is not done again"
    training.workflow.wait_succeeded(seconds=240)


def _evict(cluster: Cluster, pod: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "training"}}
    path = f"/api/v1/namespaces/training/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(body))
