from pathlib import Path
from typing import Any

import pytest

from pipelines.cluster.readiness import NotReady, wait_available
from tests.pipelines.cluster.kubectl_stub import answering

OWNER = [{"kind": "ReplicaSet", "name": "mlflow-5d59f79cb9"}]


def deployment(**status: int) -> dict[str, Any]:
    metadata = {"namespace": "mainline", "name": "mlflow", "generation": 2}
    return {"metadata": metadata, "spec": {"replicas": 1}, "status": {"observedGeneration": 2, **status}}


def pod(**state: Any) -> dict[str, Any]:
    metadata = {"name": "mlflow-5d59f79cb9-87fw7", "ownerReferences": OWNER}
    return {"metadata": metadata, "status": {"containerStatuses": [{"name": "mlflow", "state": state}]}}


def wait(kubectl: Any, seconds: float = 0) -> list[str]:
    said: list[str] = []
    wait_available(kubectl, [("mainline", "mlflow")], seconds=seconds, say=said.append)
    return said


def test_what_is_available_and_up_to_date_is_not_waited_for(tmp_path: Path) -> None:
    ready = deployment(replicas=1, updatedReplicas=1, availableReplicas=1)
    assert wait(answering(tmp_path, {"deployments": [ready]})) == []


@pytest.mark.parametrize(
    "status",
    [
        {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 0},
        {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1},
        {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "observedGeneration": 1},
    ],
    ids=["none available", "a former pod is still there", "the change is not seen yet"],
)
def test_what_is_not_is_told_with_its_pods_reason_events_and_log(tmp_path: Path, status: dict[str, int]) -> None:
    waiting = pod(waiting={"reason": "CreateContainerConfigError", "message": "no secret"})
    event = {"reason": "Failed", "message": "Error: secret not found"}
    kubectl = answering(
        tmp_path,
        {"deployments": [deployment(**status)], "pods": [waiting], "events": [event], "logs": "Traceback\nOops\n"},
    )
    with pytest.raises(NotReady) as caught:
        wait(kubectl)
    assert str(caught.value).splitlines() == [
        "not available after 0 s:",
        "deployment mainline/mlflow:",
        "  pod mlflow-5d59f79cb9-87fw7: container mlflow waiting: CreateContainerConfigError no secret",
        "    event: Failed: Error: secret not found",
        "    log: Traceback",
        "    log: Oops",
    ]


def test_a_deployment_without_pods_says_why_it_has_none(tmp_path: Path) -> None:
    event = {"reason": "FailedCreate", "message": "exceeded quota"}
    kubectl = answering(tmp_path, {"deployments": [deployment()], "pods": [], "events": [event]})
    with pytest.raises(NotReady, match="FailedCreate: exceeded quota\n  it has no pods"):
        wait(kubectl)


def test_a_log_that_cannot_be_had_hides_no_other_reason(tmp_path: Path) -> None:
    kubectl = answering(
        tmp_path,
        {
            "deployments": [deployment()],
            "pods": [pod(waiting={"reason": "ImagePullBackOff"})],
            "events": [],
            "logs": {"error": "container is waiting to start"},
        },
    )
    with pytest.raises(NotReady, match=r"ImagePullBackOff\n    no log: .*container is waiting to start"):
        wait(kubectl)
