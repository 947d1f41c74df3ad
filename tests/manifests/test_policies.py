"""The reading of NetworkPolicies, rule by rule of their specification."""

from typing import Any

import pytest

from tests.manifests.policies import Flow, Outside, Pod, Policies, matches, openings

A = Pod(namespace="a", labels={"app": "a"}, ports={"http": (8080, "TCP"), "names": (53, "UDP")})
B = Pod(namespace="b", labels={"app": "b", "tier": "front"}, address="10.244.3.4")
NAMESPACES = {"a": {"name": "a"}, "b": {"name": "b", "team": "x"}}


def policy(namespace: str = "a", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace}, "spec": {"podSelector": {}, **spec}}


def allowed(flow: Flow, *policies: dict[str, Any], blocks_mean_pods: bool = False) -> bool:
    return not Policies(policies=policies, namespaces=NAMESPACES, blocks_mean_pods=blocks_mean_pods).refusal(flow)


def to_a(source: Pod | Outside = B, port: int = 8080, protocol: str = "TCP") -> Flow:
    return Flow(source=source, target=A, port=port, protocol=protocol)


def test_a_pod_that_no_policy_selects_is_open() -> None:
    assert allowed(to_a())
    assert allowed(to_a(), policy("c", policyTypes=["Ingress"]))
    assert allowed(to_a(), policy(podSelector={"matchLabels": {"app": "z"}}, policyTypes=["Ingress"]))


def test_types_default_to_ingress_and_to_egress_where_it_is_given() -> None:
    out = Flow(source=A, target=B, port=80)
    assert not allowed(to_a(), policy())
    assert allowed(out, policy())
    assert not allowed(out, policy(egress=[]))
    assert allowed(to_a(), policy(policyTypes=["Egress"]))


def test_both_ends_must_let_it_pass() -> None:
    deny_out = policy("b", policyTypes=["Egress"])
    assert not allowed(to_a(), deny_out)
    assert allowed(to_a(), deny_out, policy("b", policyTypes=["Egress"], egress=[{}]))


def test_an_empty_rule_allows_all_and_no_rule_none() -> None:
    assert allowed(to_a(), policy(ingress=[{}]))
    assert not allowed(to_a(), policy(ingress=[]))


@pytest.mark.parametrize(
    ("peer", "lets_in"),
    [
        ({"podSelector": {}}, False),  # of its own namespace alone
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "y"}}}, False),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "b"}}}, True),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "c"}}}, False),
        ({"ipBlock": {"cidr": "10.244.0.0/16"}}, False),
    ],
)
def test_peers(peer: dict[str, Any], lets_in: bool) -> None:
    assert allowed(to_a(), policy(ingress=[{"from": [peer]}])) is lets_in


def test_a_block_has_exceptions_and_means_pods_where_it_is_said() -> None:
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}
    closed = policy(policyTypes=["Egress"], egress=[{"to": [block]}])
    assert allowed(Flow(source=A, target=Outside("203.0.113.7"), port=443), closed)
    assert not allowed(Flow(source=A, target=Outside("169.254.169.254"), port=80), closed)
    assert not allowed(Flow(source=A, target=B, port=443), closed)
    assert allowed(Flow(source=A, target=B, port=443), closed, blocks_mean_pods=True)


@pytest.mark.parametrize(
    ("ports", "port", "protocol", "lets_in"),
    [
        ([{"port": 8080}], 8080, "TCP", True),
        ([{"port": 8080}], 8080, "UDP", False),
        ([{"port": 8080}], 8081, "TCP", False),
        ([{"port": 8000, "endPort": 8090}], 8080, "TCP", True),
        ([{"port": 8000, "endPort": 8079}], 8080, "TCP", False),
        ([{"port": "http"}], 8080, "TCP", True),
        ([{"port": "http"}], 8081, "TCP", False),
        ([{"port": "names", "protocol": "UDP"}], 53, "UDP", True),
        ([{"port": "unknown"}], 8080, "TCP", False),
        ([{"protocol": "UDP"}], 9999, "UDP", True),
        ([], 1, "TCP", True),
    ],
)
def test_ports(ports: list[dict[str, Any]], port: int, protocol: str, lets_in: bool) -> None:
    assert allowed(to_a(port=port, protocol=protocol), policy(ingress=[{"ports": ports}])) is lets_in


def test_the_outside_has_no_labels() -> None:
    rule: dict[str, Any] = {"from": [{"namespaceSelector": {}}]}
    assert not allowed(to_a(Outside("203.0.113.7")), policy(ingress=[rule]))
    assert allowed(to_a(Outside("203.0.113.7")), policy(ingress=[{"ports": [{"port": "http"}]}]))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ({"key": "tier", "operator": "In", "values": ["front", "back"]}, True),
        ({"key": "tier", "operator": "NotIn", "values": ["front"]}, False),
        ({"key": "none", "operator": "NotIn", "values": ["front"]}, True),
        ({"key": "tier", "operator": "Exists"}, True),
        ({"key": "tier", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions(expression: dict[str, Any], found: bool) -> None:
    assert matches({"matchExpressions": [expression]}, B.labels) is found


def test_openings_are_every_peer_and_every_port() -> None:
    rules = [{"from": [{"podSelector": {}}, {"namespaceSelector": {}}], "ports": [{"port": 1}]}]
    without = [each["without"] for each in openings(policy(ingress=rules, egress=[{}]))]
    assert without == ["ingress[0].from[0]", "ingress[0].from[1]", "ingress[0].ports[0]", "egress[0].[0]"]
    assert [len(each["spec"]["ingress"]) for each in openings(policy(ingress=rules))] == [1, 1, 0]
