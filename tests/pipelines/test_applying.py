"""What is sent to a cluster: git's objects, and the fields that others own there left alone."""

from typing import Any

import pytest

from pipelines.applying import (
    MANAGER,
    OVERLAY,
    PRUNED,
    PRUNED_OPTIONAL,
    differs,
    managed_services,
    of_controller,
    ordered,
    rolls_out,
    strays,
    with_owners,
)


def item(kind: str, name: str = "serving", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": {"a": "b"}}, "spec": spec}


CANARY = item("Rollout", strategy={"canary": {"stableService": "stable", "canaryService": "canary"}})
BLUE_GREEN = item("Rollout", strategy={"blueGreen": {"activeService": "serving", "previewService": "preview"}})


def test_every_object_is_labelled_and_a_rollout_comes_after_what_it_needs() -> None:
    found = ordered(
        [item("HorizontalPodAutoscaler"), CANARY, item("Service"), item("AnalysisTemplate")], "staging-iris"
    )
    assert [each["kind"] for each in found] == ["Service", "AnalysisTemplate", "Rollout", "HorizontalPodAutoscaler"]
    assert {each["metadata"]["labels"][OVERLAY] for each in found} == {"staging-iris"}
    assert "labels" in CANARY["metadata"]
    assert OVERLAY not in CANARY["metadata"]["labels"], "the given object was changed"


@pytest.mark.parametrize(("rollout", "names"), [(CANARY, {"stable", "canary"}), (BLUE_GREEN, {"serving", "preview"})])
def test_services_that_a_rollout_names_are_its_controllers(rollout: dict[str, Any], names: set[str]) -> None:
    assert managed_services([item("Service", "other"), rollout]) == names


def test_the_hash_in_a_selector_stays_and_another_service_is_as_git_says() -> None:
    desired = item("Service", "stable", selector={"app": "serving"})
    live = item("Service", "stable", selector={"app": "serving", "rollouts-pod-template-hash": "7f"})
    sent = with_owners(desired, live, services={"stable"})
    assert sent["spec"]["selector"] == {"app": "serving", "rollouts-pod-template-hash": "7f"}
    assert with_owners(desired, live, services=set())["spec"]["selector"] == {"app": "serving"}
    assert with_owners(desired, None, services={"stable"}) == desired


def test_the_weights_of_a_canary_under_way_stay() -> None:
    def weights(stable: int, canary: int) -> dict[str, Any]:
        services = [{"name": "stable", "port": 80, "weight": stable}, {"name": "canary", "port": 80, "weight": canary}]
        return item("TraefikService", weighted={"services": services})

    assert with_owners(weights(100, 0), weights(95, 5), services=set()) == weights(95, 5)
    assert with_owners(weights(100, 0), None, services=set()) == weights(100, 0)


def rollout_with(replicas: int, owner: str) -> dict[str, Any]:
    found = item("Rollout", replicas=replicas)
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    found["metadata"]["managedFields"] = [{"manager": owner, "operation": "Apply", "fieldsV1": fields}]
    return found


def test_replicas_are_not_taken_away_before_an_autoscaler_has_them() -> None:
    silent = item("Rollout")
    assert with_owners(silent, rollout_with(3, MANAGER), services=set())["spec"] == {"replicas": 3}
    assert with_owners(silent, rollout_with(7, "kube-controller-manager"), services=set())["spec"] == {}
    assert with_owners(item("Rollout", replicas=3), rollout_with(7, MANAGER), services=set())["spec"] == {"replicas": 3}


@pytest.mark.parametrize(
    ("kind", "conflict", "found"),
    [
        ("Rollout", 'Apply failed with 1 conflict: conflict with "rollouts-controller": .spec.strategy', True),
        ("Rollout", 'conflicts with "rollouts-controller" using argoproj.io/v1alpha1:\n- .spec.x\n- .spec.y', True),
        ("Rollout", 'conflicts with "rollouts-controller": .spec.x conflicts with "kubectl-edit": .spec.y', False),
        ("Rollout", 'conflict with "kube-controller-manager" with subresource "scale" using v1: .spec.replicas', True),
        ("Rollout", 'conflict with "kubectl" with subresource "scale" using v1: .spec.replicas', False),
        ("Service", 'conflict with "rollouts-controller": .spec.selector', False),
        ("Rollout", "conflict in words of another version", False),
    ],
)
def test_a_controller_that_wrote_what_it_read_is_no_conflict(kind: str, conflict: str, found: bool) -> None:
    assert of_controller(item(kind), conflict) is found


def test_what_the_server_writes_is_no_difference() -> None:
    live = item("Service") | {"status": {"x": 1}}
    live["metadata"] |= {"resourceVersion": "7", "managedFields": [{}], "generation": 2}
    assert not differs(live, item("Service"))
    assert differs(live, item("Service", port=80))
    assert differs(None, item("Service"))


def test_other_pods_and_other_steps_roll_out_and_an_annotation_does_not() -> None:
    live = item("Rollout", template={"v": "1"}, strategy={"canary": {"steps": []}}, replicas=3)
    assert not rolls_out(live, live | {"metadata": {"annotations": {"a": "b"}}})
    assert not rolls_out(live, {**live, "spec": {**live["spec"], "replicas": 9}})
    assert rolls_out(live, {**live, "spec": {**live["spec"], "template": {"v": "2"}}})
    assert rolls_out(live, {**live, "spec": {**live["spec"], "strategy": {}}})
    assert rolls_out(None, live)


def test_what_left_git_is_found_by_kind_and_name() -> None:
    assert [
        each["metadata"]["name"] for each in strays([item("Service")], [item("Service"), item("Service", "old")])
    ] == ["old"]


def test_what_holds_data_or_serves_is_never_pruned() -> None:
    kinds = {kind for _, kind in (*PRUNED, *PRUNED_OPTIONAL)}
    assert not kinds & {"Namespace", "PersistentVolumeClaim", "PersistentVolume", "Rollout", "Secret"}
