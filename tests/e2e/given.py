"""The cluster that the suite was given: KUBECONFIG's, or the one that `make cluster` left in build/cluster.

Everything is asked with that kubeconfig alone; services are called through the API server, so nothing needs a route to
them. `why_not` says what is missing where there is no cluster.
"""

import base64
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from pipelines import kube
from pipelines.kube import KubeFailed, Object

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "build" / "cluster"
_PATIENCE_SECONDS = 15

POD = ("v1", "Pod")
SECRET = ("v1", "Secret")
NAMESPACE = ("v1", "Namespace")
NODE = ("v1", "Node")
DEPLOYMENT = ("apps/v1", "Deployment")
WORKFLOW = kube.WORKFLOW


def kubeconfig() -> Path:
    """The file that says where the cluster is; it may not be there."""
    named = os.environ.get("KUBECONFIG", "")
    return Path(named) if named else OURS / "kubeconfig"


def why_not() -> str:
    """Why there is no cluster to ask; empty where one answers and has Argo Rollouts."""
    path = kubeconfig()
    if not path.is_file():
        return f"no cluster: {path} is no file; `make cluster` makes one, or set KUBECONFIG"
    try:
        given().kube.list(kube.ROLLOUT)
    except KubeFailed as err:
        return f"no cluster: {path}: {str(err).splitlines()[0][:200]}; `make cluster` makes one"
    return ""


def given() -> "Cluster":
    """The cluster of `kubeconfig`."""
    os.environ["KUBECONFIG"] = str(kubeconfig())
    return Cluster(kube.connect(), kubeconfig())


@dataclass(frozen=True)
class Cluster:
    """One cluster, as its kubeconfig's user sees it."""

    kube: kube.Cluster
    kubeconfig: Path

    def pods(self, namespace: str, labels: str = "") -> list[Object]:
        """Its pods that are not on their way out."""
        found = self.kube.list(POD, namespace, labels=labels)
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def secret(self, namespace: str, name: str) -> Mapping[str, str]:
        """What a Secret holds.

        Raises:
            AssertionError: there is none.
        """
        found = self.kube.get(SECRET, name, namespace)
        assert found is not None, f"there is no Secret {namespace}/{name}: was the platform installed here?"
        return {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}

    def call(
        self, namespace: str, what: str, path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON with which `pods/NAME:PORT` or `services/NAME:PORT` answers; a body makes it a POST.

        Raises:
            KubeFailed: no answer, or any status but 200.
        """
        url = f"/api/v1/namespaces/{quote(namespace)}/{what}/proxy/{path.lstrip('/')}"
        return self._proxied(f"{url}?{urlencode(query)}" if query else url, body)

    def call_node(self, node: str, path: str) -> Any:
        """The JSON with which a node's kubelet answers.

        Raises:
            KubeFailed: no answer, or any status but 200.
        """
        return self._proxied(f"/api/v1/nodes/{quote(node)}/proxy/{path.lstrip('/')}", None)

    def _proxied(self, url: str, body: object) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        method = "GET" if body is None else "POST"
        api = self.kube.api
        request = api.param_serialize(method, url, header_params=headers, body=body, auth_settings=["BearerToken"])
        try:
            answer = api.call_api(*request, _request_timeout=_PATIENCE_SECONDS)
            text = answer.response.read() if answer.response is not None else b""
        except (ApiException, HTTPError, OSError) as err:
            raise KubeFailed(f"{url}: {err}") from err
        if answer.status != 200:
            raise KubeFailed(f"{url}: {answer.status}: {text[:300]!r}", answer.status or 0)
        return json.loads(text)

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """What kubectl prints; `given` is its standard input.

        Raises:
            AssertionError: it refused; with what it said.
        """
        command = self.command(*arguments)
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()[:2000]}"
        return done.stdout

    def command(self, *arguments: str) -> Sequence[str]:
        """A kubectl command line for this cluster."""
        return ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments]


def is_ready(pod: Object) -> bool:
    """Whether it serves."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
