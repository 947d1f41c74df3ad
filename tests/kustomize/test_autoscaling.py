"""Who says how many pods there are: one autoscaler in production, else git."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.build import build_overlay, objects
from pipelines.rehearsal.revisions import fewest_replicas
from services.serving.exposition import exposition
from services.serving.metrics import Metrics

Read = Callable[[Path, str, str], list[dict[str, Any]]]
MODELS = ("diabetes", "digits", "iris", "property")


def with_component(root: Path, environment: str, model: str, name: str) -> list[dict[str, Any]]:
    """The overlay with one more component, the last."""
    file = root / f"kustomize/overlays/{environment}/{model}/kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}  - ../../../components/{name}\n", encoding="utf-8")
    return list(objects(build_overlay(root, environment, model)))


def one(built: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [item for item in built if item["kind"] == kind]
    return found


def kinds(built: list[dict[str, Any]]) -> set[str]:
    return {item["kind"] for item in built}


@pytest.mark.parametrize("model", MODELS)
def test_in_production_one_autoscaler_alone_says_how_many_pods(read: Read, released_tree: Path, model: str) -> None:
    built = read(released_tree, "production", model)
    assert "replicas" not in one(built, "Rollout")["spec"]
    assert "HorizontalPodAutoscaler" not in kinds(built)
    spec = one(built, "ScaledObject")["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "serving"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (3, 20)
    assert fewest_replicas(built) == 3


@pytest.mark.parametrize("model", MODELS)
def test_in_staging_git_says_how_many_pods(read: Read, released_tree: Path, model: str) -> None:
    built = read(released_tree, "staging", model)
    assert one(built, "Rollout")["spec"]["replicas"] == 3
    assert "ScaledObject" not in kinds(built)
    assert fewest_replicas(built) is None


def test_it_asks_the_gates_prometheus_about_its_own_namespace_and_takes_no_answer_for_no_zero(
    read: Read, released_tree: Path
) -> None:
    built = read(released_tree, "production", "iris")
    address = {
        argument["value"]
        for item in built
        for argument in item.get("spec", {}).get("args", [])
        if argument["name"] == "prometheus-address"
    }
    exposed = exposition([Metrics(model="iris", version="1", digest="d").registry]).decode()
    for trigger in one(built, "ScaledObject")["spec"]["triggers"]:
        asked = trigger["metadata"]
        assert trigger["metricType"] == "AverageValue"  # all pods' together, a share for each
        assert {asked["serverAddress"]} == address
        assert 'namespace="iris-production"' in asked["query"]
        assert "rollouts_pod_template_hash" not in asked["query"]
        assert asked["ignoreNullValues"] == "false"
        (name,) = re.findall(r"mainline_\w+", asked["query"])
        assert re.search(rf"^{name}\{{", exposed, re.MULTILINE)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_cluster_without_keda_has_as_many_pods_as_the_autoscaler_would_keep(
    scratch: Path, tool: None, environment: str
) -> None:
    least = fewest_replicas(list(objects(build_overlay(scratch, "production", "iris"))))
    built = with_component(scratch, environment, "iris", "fixed-size")
    assert one(built, "Rollout")["spec"]["replicas"] == least
    assert kinds(built).isdisjoint({"ScaledObject", "HorizontalPodAutoscaler"})


def test_staging_can_have_it_by_the_same_line(scratch: Path, tool: None) -> None:
    built = with_component(scratch, "staging", "iris", "autoscaling")
    assert "replicas" not in one(built, "Rollout")["spec"]
    queries = [trigger["metadata"]["query"] for trigger in one(built, "ScaledObject")["spec"]["triggers"]]
    assert all('namespace="iris-staging"' in query for query in queries)
