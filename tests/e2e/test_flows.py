"""Every connection that the suite was seen to make is one that the built policies allow.

The network of a cluster of the source provider enforces no policy: so what they would have refused is found here, after
everything else has run.
"""

from typing import Any

import pytest

from pipelines.build import build_overlay, objects
from pipelines.tools import ROOT
from tests.e2e.figures import Figures
from tests.e2e.flows.recorder import Recorder
from tests.kustomize.conftest import OVERLAYS
from tests.manifests import flows
from tests.manifests.platform_build import built as built_platform
from tests.manifests.policies import Policies
from tests.manifests.test_flows import optional

pytestmark = pytest.mark.e2e
Built = list[dict[str, Any]]
# The scripted answers of test_conformance: the policy that opens the way to them is taken away with them.
GONE = ("conformance",)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The development platform, its optional parts and every overlay."""
    overlays = [dict(each) for overlay in OVERLAYS for each in objects(build_overlay(ROOT, *overlay))]
    parts = [*optional("traefik", "ingress"), *optional("keda", "keda")]
    return [*built_platform(tmp_path_factory.mktemp("platform"), "development"), *overlays, *parts]


def test_connections_that_were_seen_are_allowed(recorder: Recorder, built: Built, figures: Figures) -> None:
    ours = {each["metadata"]["name"] for each in built if each["kind"] == "Namespace"}
    cluster = [*built, *recorder.others(ours)]
    policies = Policies(policies=flows.policies(cluster), namespaces=flows.namespaces(cluster))
    seen = recorder.seen()
    refused = [
        f"{why} ({count} connections)"
        for flow, count in seen.flows.values()
        if (why := policies.refusal(flow)) and getattr(flow.target, "namespace", "") not in GONE
    ]
    figures.note("flows", "kinds", len(seen.flows))
    figures.note("flows", "connections", sum(count for _, count in seen.flows.values()))
    figures.note("flows", "connections_of_nodes", seen.nodes)
    figures.note("flows", "connections_of_unknown_pods", len(seen.unknown))
    assert not refused, "\n" + "\n".join(sorted(refused))
    assert seen.flows, "nothing was seen: was anything asked of the cluster?"


def test_what_was_seen_is_refused_without_its_opening(recorder: Recorder, built: Built) -> None:
    """So that a policy that is too narrow is noticed here: with our own openings taken away, all of it is refused."""
    closed = [{**each, "spec": {**each["spec"], "ingress": [], "egress": []}} for each in flows.policies(built)]
    policies = Policies(policies=closed, namespaces=flows.namespaces(built))
    ours = {each["metadata"]["name"] for each in built if each["kind"] == "Namespace"}
    among = [flow for flow, _ in recorder.seen().flows.values() if getattr(flow.source, "namespace", "") in ours]
    assert among
    assert all(policies.refusal(flow) for flow in among)
