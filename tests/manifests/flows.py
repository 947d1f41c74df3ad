"""The written list of flows, with its ends found among built objects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.manifests.policies import End, Flow, Outside, Pod, Policy

FILE = Path(__file__).with_name("flows.yaml")
NAME = "kubernetes.io/metadata.name"
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Flows:
    """What must be allowed, and what must not."""

    needed: Sequence[Flow]
    never: Sequence[Flow]


def read(built: Sequence[Object], *, present: Callable[[str], bool] = lambda _: True) -> Flows:
    """The flows between the ends that are there.

    Args:
        present: whether an end is; a production platform has no store and no forge of its own.
    """
    listed = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    ends = {name: _end(built, given) for name, given in listed["ends"].items() if present(name)}

    def flows(rows: Sequence[Object]) -> list[Flow]:
        found = []
        for row in rows:
            pairs = [(a, b) for a in _list(row["from"]) for b in _list(row["to"]) if a in ends and b in ends]
            for source, target in pairs:
                found += [
                    Flow(source=ends[source], target=ends[target], port=port, protocol=protocol)
                    for port, protocol in _ports(row, ends[target])
                ]
        return found

    return Flows(flows(listed["needed"]), flows(listed["never"]))


def namespaces(built: Sequence[Object]) -> dict[str, Mapping[str, str]]:
    """Labels of every namespace by its name: built ones, and those of the list that others bring."""
    listed: dict[str, Mapping[str, str]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["namespaces"]
    found = {
        each["metadata"]["name"]: each["metadata"].get("labels", {}) for each in built if each["kind"] == "Namespace"
    }
    return {**listed, **{name: {**labels, NAME: name} for name, labels in found.items()}}


def policies(built: Sequence[Object]) -> list[Policy]:
    """The NetworkPolicies."""
    return [each for each in built if each["kind"] == "NetworkPolicy"]


def _end(built: Sequence[Object], given: Object) -> End:
    if "address" in given:
        return Outside(given["address"])
    if "labels" in given:
        ports = {name: _port(port) for name, port in given.get("ports", {}).items()}
        return Pod(namespace=given["namespace"], labels=given["labels"], ports=ports)
    found = [
        each["spec"]["template"]
        for each in built
        if each["kind"] in ("Deployment", "Rollout")
        and (each["metadata"].get("namespace"), each["metadata"]["name"]) == (given["namespace"], given["workload"])
    ]
    assert len(found) == 1, f"{given}: got {len(found)} workloads, must be one"
    containers = found[0]["spec"]["containers"]
    ports = {
        port["name"]: (int(port["containerPort"]), str(port.get("protocol", "TCP")))
        for container in containers
        for port in container.get("ports", ())
    }
    return Pod(namespace=given["namespace"], labels=found[0]["metadata"]["labels"], ports=ports)


def _ports(row: Object, target: End) -> Iterator[tuple[int, str]]:
    if "port" in row:
        yield from map(_port, _list(row["port"]))
        return
    assert isinstance(target, Pod), f"{row}: what is outside has no ports: name one"
    # one that listens to nothing is still not to be reached
    yield from target.ports.values() or [(8080, "TCP")]


def _port(given: int | str) -> tuple[int, str]:
    number, _, protocol = str(given).partition("/")
    return int(number), protocol or "TCP"


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]
