"""The platform's kustomizations built without upstream's manifests, which a test may not fetch.

`upstream` makes, in their place, the few objects that ours patch; everything of ours is real. What upstream's own
objects say is checked where there is a cluster.
"""

import textwrap
from pathlib import Path

from pipelines.build import build_folder, objects
from pipelines.cluster.platform_tree import copy, localise, with_images
from pipelines.tools import ROOT

IMAGES = {name: f"registry.example.org/{name}@sha256:{'a' * 64}" for name in ("trainer", "mlflow", "judge")}
_WORKFLOWS = """
    {apiVersion: apps/v1, kind: Deployment, metadata: {name: workflow-controller}, spec: {selector: {matchLabels: {app: workflow-controller}}, template: {metadata: {labels: {app: workflow-controller}}, spec: {containers: [{name: workflow-controller, image: quay.io/argoproj/workflow-controller, ports: [{name: metrics, containerPort: 9090}]}]}}}}
    ---
    {apiVersion: apps/v1, kind: Deployment, metadata: {name: argo-server}, spec: {selector: {matchLabels: {app: argo-server}}, template: {metadata: {labels: {app: argo-server}}, spec: {containers: [{name: argo-server, image: quay.io/argoproj/argocli, args: [server], ports: [{name: web, containerPort: 2746}]}]}}}}
    ---
    {apiVersion: v1, kind: ConfigMap, metadata: {name: workflow-controller-configmap}}
    ---
    {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: argo-server-cluster-role}, rules: []}
    ---
    {apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: argo-role}, rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get]}, {apiGroups: [""], resources: [secrets], verbs: [get]}]}
"""  # noqa: E501
_ROLLOUTS = """
    {apiVersion: apps/v1, kind: Deployment, metadata: {name: argo-rollouts}, spec: {selector: {matchLabels: {app.kubernetes.io/name: argo-rollouts}}, template: {metadata: {labels: {app.kubernetes.io/name: argo-rollouts}}, spec: {containers: [{name: argo-rollouts, image: quay.io/argoproj/argo-rollouts, ports: [{name: metrics, containerPort: 8090}]}]}}}}
    ---
    {apiVersion: v1, kind: Secret, metadata: {name: argo-rollouts-notification-secret}}
"""  # noqa: E501
_FOLDERS = {
    "manifests/cluster-install-no-crds": _WORKFLOWS,
    "manifests/base": _ROLLOUTS,
    "manifests/role": "",
}


def upstream(folder: Path) -> Path:
    """A stand-in for upstream's modules at `folder`."""
    for name, text in _FOLDERS.items():
        place = folder / name
        place.mkdir(parents=True)
        (place / "objects.yaml").write_text(textwrap.dedent(text))
        resources = "resources: [objects.yaml]\n" if text else "resources: []\n"
        (place / "kustomization.yaml").write_text(resources)
    return folder


def built(scratch: Path, environment: str) -> list[dict[str, object]]:
    """The objects of kustomize/platform/<environment>, with stand-ins for Argo's; KEDA is tested as a part."""
    modules, tree = upstream(scratch / "modules"), scratch / "tree"
    copy(ROOT, tree)
    folder = f"kustomize/platform/{environment}"
    platform, kustomization = tree / folder / "platform.yaml", tree / folder / "kustomization.yaml"
    filled = platform.read_text().replace('repository: "unset"', "repository: https://forge.example.org/mainline.git")
    platform.write_text(with_images(filled, IMAGES))
    kustomization.write_text(kustomization.read_text().replace("  - ../../../manifests/platform/keda\n", ""))
    localise(tree, folder, lambda *_: modules)
    return objects(build_folder(tree, folder))
