"""The built policies allow what is needed and nothing of what must never be; each of their openings is needed."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from pipelines.build import build_overlay, objects
from pipelines.tools import ROOT
from tests.manifests import flows
from tests.manifests.policies import Pod, Policies, openings

Built = list[dict[str, Any]]
OVERLAYS = (("production", "iris"), ("production", "property"), ("staging", "iris"))
DEVELOPMENT = ("store", "forge")


def optional(part: str, namespace: str) -> Built:
    """What we write of a part that a cluster may have; upstream's own is not needed to read policies."""
    folder = ROOT / "manifests" / "platform" / part
    files = [path for path in sorted(folder.glob("*.yaml")) if path.name != "kustomization.yaml"]
    files += sorted(path for path in (folder.parent / "namespace").glob("*.yaml") if path.name != "kustomization.yaml")
    found = [each for path in files for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    for each in found:
        if each["kind"] == "Namespace":
            each["metadata"]["name"] = namespace
        else:
            each["metadata"]["namespace"] = namespace
    return found


@pytest.fixture(scope="session")
def everything(platform: Callable[[str], Built]) -> Callable[[str], Built]:
    """A platform with its parts and some overlays."""
    overlays = [each for overlay in OVERLAYS for each in objects(build_overlay(ROOT, *overlay))]
    parts = [*optional("traefik", "ingress"), *optional("keda", "keda")]
    return lambda environment: [*platform(environment), *map(dict, overlays), *parts]


@pytest.fixture(params=["development", "production"])
def environment(request: pytest.FixtureRequest) -> str:
    """Both platforms."""
    return str(request.param)


@pytest.fixture
def built(everything: Callable[[str], Built], environment: str) -> Built:
    """All objects."""
    return everything(environment)


@pytest.fixture
def listed(built: Built, environment: str) -> flows.Flows:
    """The written list; without store and forge where others run those."""
    own = environment == "development"
    return flows.read(built, present=lambda name: own or name not in DEVELOPMENT)


def read(built: Built, *, blocks_mean_pods: bool) -> Policies:
    return Policies(
        policies=flows.policies(built), namespaces=flows.namespaces(built), blocks_mean_pods=blocks_mean_pods
    )


def test_needed_flows_are_allowed_though_blocks_mean_no_pods(built: Built, listed: flows.Flows) -> None:
    found = read(built, blocks_mean_pods=False)
    assert not (refused := [why for flow in listed.needed if (why := found.refusal(flow))]), "\n".join(refused)


def test_forbidden_flows_are_refused_though_blocks_mean_pods(built: Built, listed: flows.Flows) -> None:
    found = read(built, blocks_mean_pods=True)
    assert not (open_ones := [str(flow) for flow in listed.never if not found.refusal(flow)]), "\n".join(open_ones)


def test_every_opening_is_needed_so_that_one_less_is_noticed(everything: Callable[[str], Built]) -> None:
    """Of a development cluster's: in production those to a store and a forge of its own lead to nothing."""
    built = everything("development")
    listed = flows.read(built)
    known, names = flows.policies(built), flows.namespaces(built)
    whole = Policies(policies=known, namespaces=names)
    needed = [flow for flow in listed.needed if not whole.refusal(flow)]
    own = {each["metadata"]["namespace"] for each in built if each["kind"] in ("Deployment", "Rollout")}
    unnoticed = []
    for at, policy in enumerate(known):
        namespace, name = policy["metadata"]["namespace"], policy["metadata"]["name"]
        for less in openings(policy) if namespace in own else ():
            left = Policies(policies=[*known[:at], less, *known[at + 1 :]], namespaces=names)
            if not any(left.refusal(flow) for flow in needed):
                unnoticed.append(f"{namespace}/{name}: nobody needs {less['without']}")
    assert not unnoticed, "\n".join(unnoticed)


def test_a_namespace_without_its_policies_is_noticed(built: Built, listed: flows.Flows) -> None:
    known, names = flows.policies(built), flows.namespaces(built)
    for namespace in sorted({each["metadata"]["namespace"] for each in known}):
        left = [each for each in known if each["metadata"]["namespace"] != namespace]
        found = Policies(policies=left, namespaces=names, blocks_mean_pods=True)
        ends = [end for flow in listed.never for end in (flow.source, flow.target) if isinstance(end, Pod)]
        if namespace in {end.namespace for end in ends}:
            assert any(not found.refusal(flow) for flow in listed.never), namespace


def test_every_workload_of_ours_is_an_end_of_the_list(built: Built, listed: flows.Flows) -> None:
    ends = {each.namespace for flow in listed.needed for each in (flow.source, flow.target) if isinstance(each, Pod)}
    ours = {each["metadata"]["namespace"] for each in built if each["kind"] in ("Deployment", "Rollout")}
    assert ours <= ends
