"""A case's objects for the API server; both sides read the same ones."""

import copy
from typing import Any

from tests.e2e.conformance.answers import provider
from tests.e2e.conformance.table import Case, Row

API = "argoproj.io/v1alpha1"
NAMESPACE = "conformance"
# Pods of this scheduler get no node: the test says when they are ready, and nothing runs.
NOBODY = "nobody"
READY_AFTER = "conformance/ready-after"
Object = dict[str, Any]


def template(case: Case, address: str, name: str, spec: Row, *, prefix: str = "") -> Object:
    """An AnalysisTemplate of a case; `prefix` keeps templates of several cases apart."""
    fields: Object = {key: spec[key] for key in ("args", "dryRun") if key in spec}
    fields["metrics"] = [metric(case, address, each) for each in spec["metrics"]]
    return named("AnalysisTemplate", prefix + name, fields)


def metric(case: Case, address: str, fields: Row) -> Object:
    """A metric as an AnalysisTemplate has it."""
    found = copy.deepcopy({key: value for key, value in fields.items() if key != "of"})
    found["provider"] = provider(fields["of"], address, case.path(fields["name"]))
    return found


def analysis_run(case: Case, address: str) -> Object:
    """An AnalysisRun of a case by itself."""
    row = case.row
    spec: Object = {"metrics": [metric(case, address, each) for each in row["metrics"]]}
    return named("AnalysisRun", case.key, spec | ({"dryRun": row["dryRun"]} if "dryRun" in row else {}))


def asking(case: Case, version: str) -> Object:
    """A Rollout whose only step is the case's analysis, with the arguments that the case passes."""
    arguments = [{"name": name, "value": value} for name, value in case.row.get("arguments", {}).items()]
    step = {"analysis": {"templates": [{"templateName": f"{case.key}-case"}], "args": arguments}}
    return bare_rollout(case.key, {"replicas": 1, "strategy": {"canary": {"steps": [step]}}}, version, 0.0)


def rollout(case: Case, objects: dict[str, str], version: str, ready_after: float = 0.0) -> Object:
    """The Rollout of a row.

    Args:
        objects: what the row calls templates and Services, by what they are called in the cluster.
        version: makes one pod template another.
        ready_after: seconds until a pod of it is ready.
    """
    spec = _renamed(copy.deepcopy(case.row["spec"]), objects)
    if case.row.get("restores"):
        spec["rollbackWindow"] = {"revisions": 3}
    routing = (spec["strategy"].get("canary") or {}).get("trafficRouting") or {}
    if "nginx" in routing:
        routing["nginx"] = {"stableIngress": f"{case.key}-stable"}
        services = {"canaryService": f"{case.key}-canary", "stableService": f"{case.key}-stable"}
        spec["strategy"]["canary"] |= services
    return bare_rollout(case.key, spec, version, ready_after)


def renamed(case: Case) -> dict[str, str]:
    """What a row's Rollout names, as it is called in the cluster, where several rows' are side by side."""
    names = ["active", "preview", *case.row.get("templates", {})]
    return {name: f"{case.key}-{name}" for name in names}


def without_gates(rollout: Object) -> Object:
    """The same Rollout, promoted at once."""
    found = copy.deepcopy(rollout)
    (name, strategy), *_ = found["spec"]["strategy"].items()
    for gate in ("steps", "analysis", "prePromotionAnalysis", "postPromotionAnalysis"):
        strategy.pop(gate, None)
    found["spec"]["strategy"] = {name: strategy}
    return found


def services(rollout: Object) -> list[Object]:
    """The Services that a Rollout names, and the Ingress of a routed one."""
    name = rollout["metadata"]["name"]
    strategy = next(iter(rollout["spec"]["strategy"].values()), None) or {}
    roles = ("activeService", "previewService", "canaryService", "stableService")
    found = [_service(strategy[role], name) for role in roles if role in strategy]
    router = (strategy.get("trafficRouting") or {}).get("nginx")
    return [*found, _ingress(router["stableIngress"], strategy["stableService"])] if router else found


def _service(name: str, app: str) -> Object:
    found = named("Service", name, {"selector": {"app": app}, "ports": [{"port": 80}]})
    return found | {"apiVersion": "v1"}


def _ingress(name: str, service: str) -> Object:
    """Argo Rollouts writes the weight into a copy of it; no router reads it."""
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}
    spec = {"ingressClassName": "nginx", "rules": [{"host": name, "http": {"paths": [path]}}]}
    return named("Ingress", name, spec) | {"apiVersion": "networking.k8s.io/v1"}


def named(kind: str, name: str, spec: Object) -> Object:
    """An object of Argo's in the namespace of these tests."""
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def bare_rollout(key: str, spec: Object, version: str, ready_after: float = 0.0) -> Object:
    """A Rollout of pods that run nothing; another version is another pod template."""
    annotations = {READY_AFTER: str(ready_after), "mainline.dev/version": version}
    pod = {
        "metadata": {"labels": {"app": key}, "annotations": annotations},
        "spec": {"schedulerName": NOBODY, "containers": [{"name": "nobody", "image": "nobody"}]},
    }
    return named("Rollout", key, {"selector": {"matchLabels": {"app": key}}, "template": pod, **spec})


def _renamed(node: Any, objects: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _renamed(value, objects) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(each, objects) for each in node]
    return objects.get(node, node) if isinstance(node, str) else node
