"""What the built platform must hold, in every environment."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from pipelines.build import BY_DIGEST, build_overlay, objects
from pipelines.cluster.store_rights import BUCKETS
from pipelines.environments import namespaces
from pipelines.tools import ROOT
from tests.manifests.platform_build import IMAGES

Built = list[dict[str, Any]]
Platform = Callable[[str], Built]
ENVIRONMENTS = ("development", "production")


def of_kind(built: Built, *kinds: str) -> Built:
    return [item for item in built if item["kind"] in kinds]


def ours(built: Built) -> set[str]:
    return {item["metadata"]["name"] for item in of_kind(built, "Namespace")}


def pods(built: Built) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in of_kind(built, "Deployment"):
        yield item["metadata"]["name"], item["spec"]["template"]["spec"]


@pytest.fixture(params=ENVIRONMENTS)
def built(request: pytest.FixtureRequest, platform: Platform) -> Built:
    return platform(request.param)


def test_every_namespace_enforces_pod_security_restricted(built: Built) -> None:
    for item in of_kind(built, "Namespace"):
        labels = item["metadata"]["labels"]
        assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")} == {"restricted"}


@pytest.mark.parametrize("kind", ["ResourceQuota", "LimitRange"])
def test_every_namespace_has_its_bounds(built: Built, kind: str) -> None:
    assert {item["metadata"]["namespace"] for item in of_kind(built, kind)} == ours(built)


def test_every_namespace_denies_by_default_or_by_its_overlay(built: Built) -> None:
    denied = {
        item["metadata"]["namespace"]
        for item in of_kind(built, "NetworkPolicy")
        if item["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    }
    assert denied == ours(built) - set(namespaces(ROOT))


def test_nothing_is_in_a_namespace_that_the_platform_does_not_make(built: Built) -> None:
    assert {item["metadata"]["namespace"] for item in built if "namespace" in item["metadata"]} <= ours(built)


def test_every_overlay_finds_its_namespace_with_the_appliers_rights(built: Built) -> None:
    bound = {
        (item["metadata"]["namespace"], item["roleRef"]["name"], subject["namespace"], subject["name"])
        for item in of_kind(built, "RoleBinding")
        for subject in item["subjects"]
    }
    for namespace in namespaces(ROOT):
        assert (namespace, "mainline-apply", "delivery", "apply") in bound
        assert (namespace, "mainline-outcome", "delivery", "rollout-ended") in bound


def test_the_applier_may_write_what_overlays_hold_and_nothing_else(built: Built) -> None:
    (role,) = [item for item in of_kind(built, "ClusterRole") if item["metadata"]["name"] == "mainline-apply"]
    allowed = {
        (group, resource) for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]
    }
    held = {
        (str(item["apiVersion"]).rpartition("/")[0], str(item["kind"]).lower())
        for model in ("iris", "property")  # a canary and a blue-green
        for item in objects(build_overlay(ROOT, "production", model))
    }
    plural = {(group, re.sub("ys$", "ies", f"{kind}s")) for group, kind in held}
    assert plural <= allowed
    assert not {resource for _, resource in allowed} & {"secrets", "roles", "rolebindings", "pods", "namespaces"}


def test_no_account_of_ours_has_a_right_in_the_whole_cluster_but_to_read(built: Built) -> None:
    theirs = {"argo-server-cluster-role", "argo-rollouts"}
    whole = {item["roleRef"]["name"] for item in of_kind(built, "ClusterRoleBinding")} - theirs
    for role in of_kind(built, "ClusterRole"):
        if role["metadata"]["name"] in whole:
            assert {verb for rule in role["rules"] for verb in rule["verbs"]} <= {"get", "list", "watch"}, role[
                "metadata"
            ]


def test_trainings_account_may_only_report_what_its_steps_wrote(built: Built) -> None:
    bound = [
        item["roleRef"]["name"]
        for item in of_kind(built, "RoleBinding", "ClusterRoleBinding")
        for subject in item["subjects"]
        if subject["name"] == "train"
    ]
    (role,) = [item for item in of_kind(built, "Role") if item["metadata"]["name"] in bound]
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    ]


def test_who_a_webhook_is_may_do_what_an_event_needs_and_no_more(built: Built) -> None:
    (role,) = [item for item in of_kind(built, "Role") if item["metadata"]["name"] == "events"]
    rights = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert rights == {("workfloweventbindings", "list"), ("workflowtemplates", "get"), ("workflows", "create")}


def test_only_delivery_and_controllers_mount_a_token(built: Built) -> None:
    mounting = {
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in of_kind(built, "ServiceAccount")
        if item.get("automountServiceAccountToken", True)
    }
    assert {namespace for namespace, _ in mounting} <= {"delivery", "monitoring"}


def test_every_container_says_what_it_asks_for_and_may_not_write_to_its_root(built: Built) -> None:
    upstreams = {"workflow-controller", "argo-server", "argo-rollouts"}
    for name, pod in pods(built):
        for container in pod["containers"]:
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name
            if name not in upstreams:
                assert container["securityContext"]["readOnlyRootFilesystem"], name
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name


def test_images_are_by_digest_or_a_pinned_upstream_version(built: Built) -> None:
    for name, pod in pods(built):
        for container in pod["containers"]:
            image = container["image"]
            assert BY_DIGEST.fullmatch(image) or re.search(r":v?\d+\.\d+\.\d+(-rootless)?$", image), (name, image)


def test_no_placeholder_is_left(built: Built) -> None:
    for item in built:
        text = yaml.safe_dump(item)
        assert not re.search(r": '?(unset|this-machine)'?$", text, re.MULTILINE), item["metadata"]["name"]


def test_the_trainers_image_reaches_every_workflow_template(built: Built) -> None:
    for item in of_kind(built, "WorkflowTemplate"):
        parameters = {each["name"]: each.get("value") for each in item["spec"]["arguments"]["parameters"]}
        assert parameters["image"] == IMAGES["trainer"], item["metadata"]["name"]


def test_what_starts_by_the_clock_is_applied_last(built: Built) -> None:
    assert built[-1]["kind"] == "CronWorkflow"
    assert built[0]["kind"] == "Namespace"


def test_production_brings_no_store_and_no_forge_of_its_own(platform: Platform) -> None:
    assert ours(platform("development")) - ours(platform("production")) == {"storage", "forge"}


def test_production_keeps_no_database_in_a_file(platform: Platform) -> None:
    (mlflow,) = [pod for name, pod in pods(platform("production")) if name == "mlflow"]
    (uri,) = [each for each in mlflow["containers"][0]["env"] if each["name"] == "MLFLOW_BACKEND_STORE_URI"]
    assert uri == {
        "name": "MLFLOW_BACKEND_STORE_URI",
        "valueFrom": {"secretKeyRef": {"name": "mlflow-database", "key": "uri"}},
    }


def test_every_bucket_that_the_platform_names_is_made(platform: Platform) -> None:
    text = yaml.safe_dump_all(platform("development"))
    named = set(re.findall(r"s3://([a-z-]+)", text)) | set(re.findall(r"bucket: ([a-z-]+)", text))
    assert named <= set(BUCKETS)


def test_what_was_installed_can_be_found_again(built: Built) -> None:
    assert all("mainline.dev/platform" in item["metadata"]["labels"] for item in built)
