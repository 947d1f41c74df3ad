"""How much memory the cluster's pods use, as their kubelets measure it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.e2e.given import NODE, Cluster

MIB = 2**20


def by_namespace(cluster: Cluster) -> Mapping[str, float]:
    """Working set in MiB by namespace."""
    total: Counter[str] = Counter()
    for node in cluster.kube.list(NODE):
        summary = cluster.call_node(node["metadata"]["name"], "stats/summary")
        for pod in summary.get("pods", []):
            total[pod["podRef"]["namespace"]] += sum(_bytes(each) for each in pod.get("containers", []))
    return {name: round(found / MIB, 1) for name, found in total.items()}


def _bytes(container: Mapping[str, Any]) -> int:
    return int(container.get("memory", {}).get("workingSetBytes", 0))
