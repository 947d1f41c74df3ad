"""Somebody changes by hand what git says: what is missing comes back, what is changed is said, nothing is forced."""

import time

import pytest

from tests.e2e.given import Cluster
from tests.e2e.releasing import Releases
from tests.e2e.workflow_view import Workflow

pytestmark = pytest.mark.full
MODEL = "iris"
NAMESPACE = f"{MODEL}-production"
BUDGET = ("policy/v1", "PodDisruptionBudget")
SECONDS = 180


def test_what_is_changed_by_hand_is_said_and_what_is_gone_comes_back(cluster: Cluster, releases: Releases) -> None:
    releases.stable(f"{MODEL}-stable")
    view = releases.rollout(MODEL).view()

    cluster.kube.delete(BUDGET, "serving", NAMESPACE)
    assert _applied(cluster) == "Succeeded"
    assert cluster.kube.get(BUDGET, "serving", NAMESPACE) is not None

    _patch(cluster, 2)
    assert _applied(cluster) == "Failed"
    found = cluster.kube.get(BUDGET, "serving", NAMESPACE)
    assert found is not None
    assert found["spec"]["maxUnavailable"] == 2, "what a person set was forced back without a word"

    _patch(cluster, 1)
    assert _applied(cluster) == "Succeeded"
    assert releases.rollout(MODEL).view().current == view.current


def _patch(cluster: Cluster, count: int) -> None:
    change = f'{{"spec": {{"maxUnavailable": {count}}}}}'
    cluster.kubectl(
        "patch", "pdb", "serving", "--namespace", NAMESPACE, "--type=merge", f"--patch={change}",
        "--field-manager=a-person",
    )  # fmt: skip


def _applied(cluster: Cluster) -> str:
    """How an application of main ends that somebody asks for."""
    name = f"apply-by-hand-{time.time_ns() % 10**9}"
    metadata = {"name": name, "namespace": "delivery"}
    spec = {"workflowTemplateRef": {"name": "apply"}}
    manifest = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec}
    assert cluster.kube.create(manifest)
    return str(Workflow(cluster, "delivery", name).wait_ended(seconds=SECONDS)["status"]["phase"])
