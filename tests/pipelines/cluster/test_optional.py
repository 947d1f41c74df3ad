"""Optional parts of the platform: built from the modules of upstream's manifests, with the least rights."""

import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from models.errors import ConfigError
from pipelines.cluster.optional import PARTS, build_part
from pipelines.cluster.upstream import module_folder
from pipelines.tools import ROOT, kustomize
from pipelines.versions import ToolMissing

pytestmark = pytest.mark.slow
Built = list[dict[str, Any]]


def fetched(name: str, version: str) -> Path:
    try:
        return module_folder(name, version)
    except ConfigError as err:
        pytest.skip(f"the module is not here and cannot be fetched: {err}")


@pytest.fixture(scope="module")
def parts() -> dict[str, Built]:
    if shutil.which("go") is None:
        pytest.skip("needs Go, which has upstream's manifests as modules")
    try:
        kustomize(ROOT)
    except ToolMissing as err:
        pytest.skip(str(err))
    return {part: cast(Built, build_part(ROOT, part, folder_of=fetched)) for part in PARTS}


def one(built: Built, kind: str, name: str) -> dict[str, Any]:
    (found,) = [item for item in built if item["kind"] == kind and item["metadata"]["name"] == name]
    return found


@pytest.mark.parametrize(("part", "namespace"), [("keda", "keda"), ("traefik", "ingress")])
def test_a_part_is_a_restricted_closed_namespace(parts: dict[str, Built], part: str, namespace: str) -> None:
    built = parts[part]
    (room,) = [item for item in built if item["kind"] == "Namespace"]
    assert room["metadata"]["name"] == namespace
    assert room["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    one(built, "NetworkPolicy", "default-deny")
    one(built, "ResourceQuota", "namespace")
    for item in built:
        if item["kind"] == "Deployment":
            assert item["metadata"]["namespace"] == namespace
            spec = item["spec"]["template"]["spec"]
            (container,) = spec["containers"]
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["imagePullPolicy"] == "IfNotPresent"
            assert not container["image"].endswith((":latest", ":main"))


def test_keda_reads_rollouts_and_prometheus_and_no_secret_of_others(parts: dict[str, Built]) -> None:
    rules = one(parts["keda"], "ClusterRole", "keda-operator")["rules"]
    assert not [rule for rule in rules if "secrets" in rule["resources"] or rule["resources"] == ["*"]]
    scaled = [rule for rule in rules if "rollouts/scale" in rule["resources"]]
    assert [rule["apiGroups"] for rule in scaled] == [["argoproj.io"]]
    (binding,) = [item for item in parts["keda"] if item["metadata"]["name"] == "keda-auth-reader"]
    assert binding["metadata"]["namespace"] == "kube-system"


def test_traefik_may_only_read(parts: dict[str, Built]) -> None:
    rules = one(parts["traefik"], "ClusterRole", "traefik")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    kinds = {item["spec"]["names"]["kind"] for item in parts["traefik"] if item["kind"] == "CustomResourceDefinition"}
    assert {"IngressRoute", "TraefikService"} <= kinds


def test_a_part_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be one of keda, traefik"):
        build_part(ROOT, "istio", folder_of=None)
