"""Exact shares of traffic: one line of an overlay, behind the canary's."""

from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError
from pipelines.build import build_overlay, objects

STEPS = "kustomize/components/canary/strategy.yaml"


def routed(root: Path, environment: str = "staging", model: str = "iris") -> list[dict[str, Any]]:
    """The overlay with Traefik behind its canary."""
    file = root / f"kustomize/overlays/{environment}/{model}/kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    line = "  - ../../../components/canary\n"
    file.write_text(text.replace(line, f"{line}  - ../../../components/traffic-traefik\n"), encoding="utf-8")
    return list(objects(build_overlay(root, environment, model)))


def one(built: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [item for item in built if item["kind"] == kind]
    return found


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_argo_weighs_the_service_that_the_route_leads_to(scratch: Path, tool: None, environment: str) -> None:
    built = routed(scratch, environment)
    canary = one(built, "Rollout")["spec"]["strategy"]["canary"]
    weighted, (route,) = one(built, "TraefikService"), one(built, "IngressRoute")["spec"]["routes"]
    assert canary["trafficRouting"] == {"traefik": {"weightedTraefikServiceName": weighted["metadata"]["name"]}}
    assert route["services"] == [{"kind": "TraefikService", "name": weighted["metadata"]["name"]}]
    assert route["match"] == f"Host(`iris-{environment}.mainline.internal`)"
    services = weighted["spec"]["weighted"]["services"]
    # Until Argo writes others, callers meet stable alone.
    assert [(each["name"], each["weight"]) for each in services] == [
        (canary["stableService"], 100),
        (canary["canaryService"], 0),
    ]
    ports = {port["name"] for item in built if item["kind"] == "Service" for port in item["spec"]["ports"]}
    assert {each["port"] for each in services} == ports
    for item in built:
        assert item["metadata"]["namespace"] == f"iris-{environment}"
        assert item["metadata"]["labels"]["app.kubernetes.io/part-of"] == "mainline"


def test_the_first_share_is_one_in_twenty_and_the_rest_is_the_canarys(scratch: Path, tool: None) -> None:
    before = one(list(objects(build_overlay(scratch, "staging", "iris"))), "Rollout")["spec"]["strategy"]["canary"]
    after = one(routed(scratch), "Rollout")["spec"]["strategy"]["canary"]
    assert (before["steps"][0], after["steps"][0]) == ({"setWeight": 25}, {"setWeight": 5})
    assert after["steps"][1:] == before["steps"][1:]
    # An abort finds all of stable's pods there, and the number of pods stays the autoscaler's.
    assert "dynamicStableScale" not in after


def test_steps_that_have_moved_fail_the_build(scratch: Path, tool: None) -> None:
    text = (scratch / STEPS).read_text(encoding="utf-8")
    (scratch / STEPS).write_text(text.replace("setWeight: 25", "setWeight: 34"), encoding="utf-8")
    with pytest.raises(ConfigError, match="setWeight"):
        routed(scratch)


def test_it_needs_a_canary(scratch: Path, tool: None) -> None:
    file = scratch / "kustomize/overlays/staging/iris/kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("components/canary", "components/blue-green"), encoding="utf-8")
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "  - ../../../components/traffic-traefik\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        build_overlay(scratch, "staging", "iris")
