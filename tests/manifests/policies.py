"""What NetworkPolicies allow, by the rules of networking.k8s.io/v1: a pure reading, for clusters that enforce none.

A flow is allowed where the source's policies let it out and the target's let it in; a pod that no policy selects for a
direction is open in it. Enforcers differ in whether an ipBlock means pods too: `blocks_mean_pods` says which is asked.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Policy = Mapping[str, Any]
Labels = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """An end of a flow inside the cluster.

    Attributes:
        ports: number and protocol by name, which named ports of policies refer to.
    """

    namespace: str
    labels: Labels
    ports: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    address: str = "10.244.0.1"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.labels.get('app.kubernetes.io/name') or dict(self.labels)}"


@dataclass(frozen=True)
class Outside:
    """An end of a flow that is no pod of the cluster's network: a node, the API server, the internet."""

    address: str

    def __str__(self) -> str:
        return self.address


End = Pod | Outside


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A connection to be made."""

    source: End
    target: End
    port: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}:{self.port}/{self.protocol}"


@dataclass(frozen=True, kw_only=True)
class Policies:
    """Policies, and the labels of the namespaces that they speak of."""

    policies: Sequence[Policy]
    namespaces: Mapping[str, Labels]
    blocks_mean_pods: bool = False

    def refusal(self, flow: Flow) -> str:
        """Why a flow is refused; empty where it is allowed."""
        if isinstance(flow.source, Pod) and not self._open(flow, flow.source, flow.target, "Egress"):
            return f"{flow}: no policy of {flow.source.namespace} lets it out"
        if isinstance(flow.target, Pod) and not self._open(flow, flow.target, flow.source, "Ingress"):
            return f"{flow}: no policy of {flow.target.namespace} lets it in"
        return ""

    def _open(self, flow: Flow, pod: Pod, other: End, direction: str) -> bool:
        selecting = [each for each in self.policies if _selects(each, pod, direction)]
        rules = (rule for each in selecting for rule in each["spec"].get(direction.lower()) or ())
        return not selecting or any(self._allows(rule, flow, pod, other, direction) for rule in rules)

    def _allows(self, rule: Policy, flow: Flow, pod: Pod, other: End, direction: str) -> bool:
        peers, ports = rule.get("from" if direction == "Ingress" else "to"), rule.get("ports")
        if ports and not any(_is_port(each, flow) for each in ports):
            return False
        return not peers or any(self._is_peer(each, pod, other) for each in peers)

    def _is_peer(self, peer: Policy, pod: Pod, other: End) -> bool:
        if "ipBlock" in peer:
            return (isinstance(other, Outside) or self.blocks_mean_pods) and _in_block(peer["ipBlock"], other.address)
        if isinstance(other, Outside):
            return False
        if "namespaceSelector" in peer:
            if not matches(peer["namespaceSelector"], self.namespaces.get(other.namespace, {})):
                return False
        elif other.namespace != pod.namespace:
            return False
        return matches(peer.get("podSelector") or {}, other.labels)


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Whether labels are what a selector asks for; an empty one asks for nothing."""
    wanted: Labels = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _expressed(each, labels) for each in selector.get("matchExpressions") or ()
    )


def openings(policy: Policy) -> Iterator[Policy]:
    """The policy with one peer or one port less, for each that it has; a rule without any is taken away whole."""
    for direction in ("ingress", "egress"):
        rules = policy["spec"].get(direction) or []
        for at, rule in enumerate(rules):
            parts = [(name, index) for name in ("from", "to", "ports") for index in range(len(rule.get(name) or ()))]
            for name, index in parts or [("", 0)]:
                left = [each for place, each in enumerate(rule.get(name) or ()) if place != index]
                less = [{**rule, name: left}] if left else []
                spec = {**policy["spec"], direction: [*rules[:at], *less, *rules[at + 1 :]]}
                yield {**policy, "spec": spec, "without": f"{direction}[{at}].{name}[{index}]"}


def _selects(policy: Policy, pod: Pod, direction: str) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return (
        direction in types
        and policy["metadata"]["namespace"] == pod.namespace
        and matches(spec.get("podSelector") or {}, pod.labels)
    )


def _is_port(port: Policy, flow: Flow) -> bool:
    if port.get("protocol", "TCP") != flow.protocol:
        return False
    wanted = port.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        known = flow.target.ports if isinstance(flow.target, Pod) else {}
        return known.get(wanted) == (flow.port, flow.protocol)
    return bool(wanted <= flow.port <= port.get("endPort", wanted))


def _in_block(block: Policy, address: str) -> bool:
    found = ipaddress.ip_address(address)
    inside = found in ipaddress.ip_network(block["cidr"])
    return inside and not any(found in ipaddress.ip_network(each) for each in block.get("except") or ())


def _expressed(expression: Mapping[str, Any], labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise AssertionError(f"{expression['operator']} is no operator of a label selector")
