"""What every built overlay must carry, over all of them: the committed state and a released one."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from models.errors import GateClosed
from pipelines.build import images, objects, pod, refuse_on_cluster
from pipelines.overlays import ENVIRONMENTS, kustomize_files
from pipelines.rehearsal.revisions import fewest_replicas
from pipelines.starter.files import gates_yaml
from pipelines.starter.gates import Limits
from pipelines.tools import ROOT

Build = Callable[[Path, str, str], str]
Read = Callable[[Path, str, str], list[dict[str, Any]]]
Overlay = tuple[str, str]


@pytest.fixture
def built(read: Read, released_tree: Path, overlay: Overlay) -> list[dict[str, Any]]:
    return read(released_tree, *overlay)


def one(built: list[dict[str, Any]], kind: str, name: str = "serving") -> dict[str, Any]:
    (found,) = [item for item in built if item["kind"] == kind and item["metadata"]["name"] == name]
    return found


def container(built: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = one(built, "Rollout")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def strategy(built: list[dict[str, Any]]) -> dict[str, Any]:
    found = one(built, "Rollout")["spec"]["strategy"]
    assert isinstance(found, dict)
    return found


def found(node: object, key: str) -> Iterator[Any]:
    """Every value of a key, at any depth."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == key:
                yield value
            else:
                yield from found(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from found(value, key)


def strings(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


def test_committed_overlay_builds_and_is_refused_on_a_cluster(build: Build, overlay: Overlay) -> None:
    built = objects(build(ROOT, *overlay))
    assert "unset" not in set(strings(built))
    image = container(built)["image"]
    assert image == "this-machine" or re.search("@sha256:[0-9a-f]{64}$", image)
    if image == "this-machine":
        with pytest.raises(GateClosed, match="this-machine"):
            refuse_on_cluster(built)


def test_no_placeholder_survives_and_every_image_is_pinned(built: list[dict[str, Any]]) -> None:
    assert "unset" not in set(strings(built))
    found = list(images(built))
    assert found
    assert all(re.search("@sha256:[0-9a-f]{64}$", image) for image in found)
    refuse_on_cluster(built)


def test_every_object_is_in_the_overlays_namespace_and_labelled(built: list[dict[str, Any]], overlay: Overlay) -> None:
    environment, model = overlay
    for item in built:
        assert item["metadata"]["namespace"] == f"{model}-{environment}", item["kind"]
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == model, item["kind"]
        assert labels["app.kubernetes.io/name"] == "serving"
        assert labels["app.kubernetes.io/part-of"] == "mainline"


def test_kinds_are_complete_and_local_files_stay_local(built: list[dict[str, Any]], overlay: Overlay) -> None:
    services = {"serving-stable", "serving-canary"} if "canary" in strategy(built) else {"serving-preview"}
    assert {item["metadata"]["name"] for item in built if item["kind"] == "Service"} == {"serving", *services}
    templates = [item["metadata"]["name"] for item in built if item["kind"] == "AnalysisTemplate"]
    assert len(templates) == len(set(templates)) == 8
    kinds = ["NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "Rollout", "ServiceAccount"]
    kinds += ["ScaledObject"] * (overlay[0] == "production")
    assert sorted(item["kind"] for item in built if item["kind"] not in ("Service", "AnalysisTemplate")) == sorted(
        kinds
    )


def test_release_reaches_the_pod_with_what_training_knew(built: list[dict[str, Any]], overlay: Overlay) -> None:
    rollout = one(built, "Rollout")
    template = rollout["spec"]["template"]
    environment = {variable["name"]: variable.get("value") for variable in container(built)["env"]}
    assert environment["MAINLINE_MODEL"] == overlay[1] == template["metadata"]["labels"]["mainline.dev/model"]
    assert environment["MAINLINE_MODEL_VERSION"] == "17"
    assert environment["MAINLINE_BUNDLE_URI"] == f"s3://bundles/{overlay[1]}/17"
    assert environment["MAINLINE_BUNDLE_DIGEST"] == "sha256:" + "7" * 64
    assert template["metadata"]["annotations"] == {
        "mainline.dev/version": "17",
        "mainline.dev/digest": "sha256:" + "7" * 64,
        "mainline.dev/commit": "7" * 40,
        "mainline.dev/run": "run17",
        "mainline.dev/attempt": "1",
    }


def test_links_lead_from_the_rollout_and_each_of_its_runs(built: list[dict[str, Any]], overlay: Overlay) -> None:
    links = one(built, "Rollout")["metadata"]["annotations"]
    assert {key.partition("/")[2]: value.partition("://")[2].partition("/")[2] for key, value in links.items()} == {
        "judge-report": f"reports/{overlay[0]}-{overlay[1]}-17",
        "mlflow-run": "#/runs/run17",
        "dashboard": "query?g0.expr=serving%3Arequests%3Arate5m"
        f"%7Bnamespace%3D%22{overlay[1]}-{overlay[0]}%22%7D&g0.tab=graph",
    }
    analyses = list(found(strategy(built), "analysisRunMetadata"))
    assert len(analyses) >= 2
    assert all(metadata == {"annotations": links} for metadata in analyses)


def test_the_same_release_has_another_pod_template_in_each_environment(read: Read, released_tree: Path) -> None:
    templates = {}
    for environment in ENVIRONMENTS:
        rollout = one(read(released_tree, environment, "iris"), "Rollout")
        templates[environment] = rollout["spec"]["template"]
    assert templates["staging"] != templates["production"]
    for environment, template in templates.items():
        assert template["metadata"]["labels"].pop("mainline.dev/environment") == environment
        variables = {variable["name"]: variable for variable in template["spec"]["containers"][0]["env"]}
        assert variables["MAINLINE_CAPTURE_URI"].pop("value") == f"s3://mainline-captures/{environment}"
    assert templates["staging"] == templates["production"]


def test_labels_selectors_and_variables_are_strings(built: list[dict[str, Any]]) -> None:
    for item in built:
        assert all(isinstance(value, str) for value in item["metadata"]["labels"].values())
    template = one(built, "Rollout")["spec"]["template"]
    assert all(isinstance(value, str) for value in template["metadata"]["labels"].values())
    assert all(isinstance(variable.get("value", ""), str) for variable in container(built)["env"])
    for item in built:
        if item["kind"] == "AnalysisTemplate":
            assert all(isinstance(argument.get("value", ""), str) for argument in item["spec"]["args"])


def test_names_that_objects_give_each_other_exist(built: list[dict[str, Any]]) -> None:
    rollout = one(built, "Rollout")
    (moves,) = rollout["spec"]["strategy"].values()
    named = [value for key, value in moves.items() if key.endswith("Service")]
    assert len(named) == 2
    for name in named:
        one(built, "Service", name)
    one(built, "ServiceAccount", rollout["spec"]["template"]["spec"]["serviceAccountName"])
    labels = rollout["spec"]["template"]["metadata"]["labels"]
    services = {*named, "serving"}
    selectors = [one(built, "Service", name)["spec"]["selector"] for name in services]
    selectors += [rollout["spec"]["selector"]["matchLabels"]]
    selectors += [one(built, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    selectors += [one(built, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()
    ports = {port["name"] for port in container(built)["ports"]}
    for name in services:
        assert {port["targetPort"] for port in one(built, "Service", name)["spec"]["ports"]} <= ports
    assert {probe["httpGet"]["port"] for key, probe in container(built).items() if key.endswith("Probe")} <= ports


def test_rollout_can_roll_back_and_gives_up(built: list[dict[str, Any]]) -> None:
    spec = one(built, "Rollout")["spec"]
    assert 0 < spec["rollbackWindow"]["revisions"] <= spec["revisionHistoryLimit"]
    assert spec["progressDeadlineAbort"] is True
    startup = container(built)["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] < spec["progressDeadlineSeconds"]
    assert spec["minReadySeconds"] > 0
    assert spec["analysis"]["successfulRunHistoryLimit"] <= spec["analysis"]["unsuccessfulRunHistoryLimit"]


def test_canary_weights_can_be_reached_by_the_fewest_pods(built: list[dict[str, Any]]) -> None:
    if "canary" not in strategy(built):
        pytest.skip("no canary: the other strategy has no weights")
    canary = strategy(built)["canary"]
    assert (canary["maxUnavailable"], canary["maxSurge"]) == (0, 1)
    assert "dynamicStableScale" not in canary
    pods = (fewest_replicas(built) or one(built, "Rollout")["spec"]["replicas"]) + canary["maxSurge"]
    for step in canary["steps"]:
        if "setWeight" in step:
            assert step["setWeight"] * pods % 100 == 0, f"{step} is no whole number of {pods} pods"


def test_pods_are_restricted(built: list[dict[str, Any]]) -> None:
    assert one(built, "ServiceAccount")["automountServiceAccountToken"] is False
    spec = one(built, "Rollout")["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(built)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not any("hostPath" in volume for volume in spec["volumes"])


def test_pods_are_probed_sized_spread_and_drained(built: list[dict[str, Any]]) -> None:
    spec = one(built, "Rollout")["spec"]["template"]["spec"]
    served = container(built)
    paths = {key: probe["httpGet"]["path"] for key, probe in served.items() if key.endswith("Probe")}
    assert paths == {"startupProbe": "/ready", "readinessProbe": "/ready", "livenessProbe": "/healthz"}
    for share in ("requests", "limits"):
        assert {"cpu", "memory", "ephemeral-storage"} == set(served["resources"][share])
    assert [spread["topologyKey"] for spread in spec["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    wait = served["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert wait >= 5
    # The server's own defaults: 10 s in which it still accepts, 20 s for requests in flight.
    assert spec["terminationGracePeriodSeconds"] >= wait + 10 + 20


def test_network_is_closed_but_for_requests_names_and_the_store(built: list[dict[str, Any]]) -> None:
    deny = one(built, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    opened = one(built, "NetworkPolicy")["spec"]
    assert [[port["port"] for port in rule["ports"]] for rule in opened["ingress"]] == [["http"]]
    assert [sorted(name for peer in rule["from"] for name in peer) for rule in opened["ingress"]] == [
        [*["namespaceSelector"] * 4, "podSelector"]  # the judge's pods, of the namespace that also has MLflow's
    ]
    assert sorted({port["port"] for rule in opened["egress"] for port in rule["ports"]}) == [53, 443, 7070]


def test_the_pod_runs_the_server_with_folders_that_it_may_write(built: list[dict[str, Any]]) -> None:
    command = pod(built)
    assert command.command == ("python", "-m", "services.serving")
    assert command.ports == {"http": 8080}
    assert command.environment["MAINLINE_PORT"] == "8080"
    assert set(command.folders) == {"/var/cache/mainline", "/tmp"}
    assert command.environment["MAINLINE_CACHE_DIR"] in command.folders
    assert command.hash_variables == ("MAINLINE_POD_TEMPLATE_HASH",)
    assert command.environment["MAINLINE_CAPTURE_SAMPLE"] == "1.0"
    assert container(built)["envFrom"] == [{"secretRef": {"name": "mainline-object-store"}}]


def test_the_judge_is_asked_about_the_overlays_own_environment(built: list[dict[str, Any]], overlay: Overlay) -> None:
    for name in ("input-drift", "prediction-shift", "replay"):
        spec = one(built, "AnalysisTemplate", name)["spec"]
        assert {"name": "environment", "value": overlay[0]} in spec["args"]
        (metric,) = spec["metrics"]
        assert metric["provider"]["web"]["jsonBody"]["environment"] == "{{args.environment}}"


def test_overlay_has_no_prefix_and_fits_a_screen() -> None:
    files = sorted((ROOT / "kustomize" / "overlays").glob("*/*/kustomization.yaml"))
    assert len(files) >= 8
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert "namePrefix" not in text
        assert "nameSuffix" not in text
        assert len(text.splitlines()) <= 15


def test_a_new_models_overlays_build_and_are_refused_on_a_cluster(scratch: Path, build: Build) -> None:
    for path, text in kustomize_files("cars").items():
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_text(text, encoding="utf-8")
    limits = Limits("rmse", trivial=10.0, ceiling=9.5, margin=0.5, calibration=0.1, parity=0.01)
    gates = gates_yaml("cars", limits, unit="USD", n_rows=400, missing_share=0.0)
    (scratch / "models/cars/gates.yaml").write_text(gates, encoding="utf-8")
    built = objects(build(scratch, "staging", "cars"))
    assert one(built, "Rollout")["metadata"]["namespace"] == "cars-staging"
    with pytest.raises(GateClosed, match="nothing is released"):
        refuse_on_cluster(built)
