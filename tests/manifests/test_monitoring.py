"""Prometheus and the judge as the gates count on them: how often, whose pods, where the rows lie."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from models.duration import seconds
from pipelines.overlays import ENVIRONMENTS
from pipelines.tools import ROOT
from services.drift.settings import ENVIRONMENT, read

PLATFORM = ROOT / "manifests" / "platform"
FAST = ROOT / "kustomize" / "components" / "scrape-every-second" / "prometheus.yml"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def interval(file: Path) -> float:
    return float(seconds(load(file)["global"]["scrape_interval"]))


def container(part: str) -> dict[str, Any]:
    (found,) = load(PLATFORM / part / "deployment.yaml")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("model", ["diabetes", "digits", "iris", "property"])
def test_gates_wait_for_two_scrapes_and_trust_one_for_four(model: str) -> None:
    scrape = load(ROOT / "models" / model / "gates.yaml")["spec"]["online"]["scrape"]
    every = interval(PLATFORM / "prometheus" / "prometheus.yml")
    assert seconds(scrape["settle"]) == 2 * every
    assert scrape["max_age_seconds"] == 4 * every


def test_rehearsed_rollouts_have_a_prometheus_that_is_as_fast() -> None:
    times = load(ROOT / "kustomize/components/rehearsal/rehearsal.yaml")["data"]
    every = interval(FAST)
    assert seconds(times["settle"]) == 2 * every
    assert int(times["max-age-seconds"]) >= 4 * every


def test_the_fast_configuration_differs_in_times_alone() -> None:
    slow, fast = load(PLATFORM / "prometheus" / "prometheus.yml"), load(FAST)
    assert slow["global"].keys() == fast["global"].keys()
    slow["global"] = fast["global"] = None
    assert slow == fast


def test_the_pods_of_every_overlay_are_scraped_and_named_by_kubernetes() -> None:
    (job,) = load(PLATFORM / "prometheus" / "scrape-serving.yml")["scrape_configs"]
    (found,) = job["kubernetes_sd_configs"]
    overlays = {
        f"{path.parent.name}-{path.parent.parent.name}" for path in ROOT.glob("kustomize/overlays/*/*/release.yaml")
    }
    assert set(found["namespaces"]["names"]) == overlays, "scrape-serving.yml: namespaces: one for each overlay"
    named = {rule["target_label"] for rule in job["relabel_configs"] if "target_label" in rule}
    assert named == {"namespace", "pod", "container", "model", "environment", "rollouts_pod_template_hash"}
    assert job["honor_labels"] is False


def test_the_judge_starts_with_what_the_manifest_says() -> None:
    environment = {variable["name"]: variable["value"] for variable in container("judge")["env"]}
    settings = read(environment)
    assert settings.replay_hosts == ("*.svc", "*.svc.cluster.local")
    mounts = {mount["mountPath"] for mount in container("judge")["volumeMounts"]}
    assert str(settings.cache) in mounts
    assert str(settings.reports.parent) in mounts
    assert settings.judge_seconds + settings.wait_seconds <= 30  # terminationGracePeriodSeconds
    for name in ENVIRONMENTS:
        there = load(ROOT / "kustomize" / "components" / name / "environment.yaml")["data"]["captures"]
        assert settings.capture_uri.replace(ENVIRONMENT, f"/{name}") == there
