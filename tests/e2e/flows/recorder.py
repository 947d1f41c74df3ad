"""The flows of a suite: connections that the kernels saw, between pods as they were then."""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from pipelines.kube import Cluster, Object
from tests.e2e.flows.conntrack import Connection, Listening
from tests.e2e.flows.pods import Lives
from tests.manifests.policies import Flow, Outside, Pod

# Pods' addresses in a cluster of the source provider, whose nodes alone are listened to.
PODS = ip_network("10.244.0.0/16")
_POLICY = ("networking.k8s.io/v1", "NetworkPolicy")
_NAMESPACE = ("v1", "Namespace")


@dataclass(frozen=True)
class Seen:
    """What was seen.

    Attributes:
        flows: one of each kind of source, target and port, with the number of connections that stand for it.
        nodes: connections that no pod made but a node or the API server, as probes are: no policy is asked.
        unknown: connections of pods that were not known then: gone before anybody listened.
    """

    flows: Mapping[str, tuple[Flow, int]]
    nodes: int
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Recorder:
    """A cluster that is listened to."""

    kube: Cluster
    listening: Listening
    lives: Lives

    def seen(self) -> Seen:
        """What was seen so far."""
        outside = 0
        flows: dict[str, tuple[Flow, int]] = {}
        unknown = []
        for connection, times in self.listening.heard().items():
            for when in times:
                if not _is_pods(connection.source):
                    outside += 1
                    continue
                flow = self._flow(connection, when)
                if flow is None:
                    unknown.append(f"{connection} at {when:.0f}")
                else:
                    flows[repr(flow)] = flow, flows.get(repr(flow), (flow, 0))[1] + 1
        return Seen(flows, outside, tuple(unknown))

    def _flow(self, connection: Connection, when: float) -> Flow | None:
        """None where an end was a pod that nobody saw."""
        ends = [self.lives.at(address, when) for address in (connection.source, connection.target)]
        if ends[0] is None or (ends[1] is None and ip_address(connection.target) in PODS):
            return None
        target = Outside(connection.target) if ends[1] is None else _one_of_its_kind(ends[1])
        source = _one_of_its_kind(ends[0])
        return Flow(source=source, target=target, port=connection.port, protocol=connection.protocol)

    def others(self, ours: Collection[str]) -> list[Object]:
        """Policies and namespaces of the cluster that are not among our namespaces: the suite's own callers."""
        policies = [each for each in self.kube.list(_POLICY) if each["metadata"]["namespace"] not in ours]
        return policies + [each for each in self.kube.list(_NAMESPACE) if each["metadata"]["name"] not in ours]


@contextmanager
def recording(kube: Cluster, folder: Path) -> Iterator[Recorder]:
    """Listens from now on; what was heard lies in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    recorder = Recorder(kube, Listening(folder), Lives(kube))
    try:
        yield recorder
    finally:
        recorder.listening.end()
        recorder.lives.end()


def _one_of_its_kind(pod: Pod) -> Pod:
    """The pod without what tells it from its like: no policy asks for that."""
    told = ("hash", "workflows.argoproj.io/", "/version", "events.argoproj.io/")
    labels = {key: value for key, value in sorted(pod.labels.items()) if not any(each in key for each in told)}
    return Pod(namespace=pod.namespace, labels=labels, ports=pod.ports, address="")


def _is_pods(address: str) -> bool:
    """Whether it is a pod's; the first address of each node's pods is the node's own."""
    return ip_address(address) in PODS and not address.endswith(".1")
