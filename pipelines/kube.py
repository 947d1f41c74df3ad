"""The Kubernetes API as Mainline needs it: create, apply, read, change; the only module that imports `kubernetes`.

Objects are plain mappings, as YAML has them. Where a kind is served under which path is asked of the API server once a
group, so that custom resources need no code of their own. Inside a pod its service account speaks, elsewhere the
kubeconfig (`KUBECONFIG`).
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from models.errors import ConfigError
from pipelines.kube_errors import KubeFailed, KubeRefused, checked

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = [
    "ANALYSIS_RUN",
    "ROLLOUT",
    "WORKFLOW",
    "Cluster",
    "KubeFailed",
    "KubeRefused",
    "Object",
    "connect",
]

Object = dict[str, Any]

WORKFLOW = ("argoproj.io/v1alpha1", "Workflow")
ROLLOUT = ("argoproj.io/v1alpha1", "Rollout")
ANALYSIS_RUN = ("argoproj.io/v1alpha1", "AnalysisRun")

# An answer takes milliseconds; a server that restarts is back within half a minute.
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Cluster:
    """One API server and the identity that speaks to it; see `connect`."""

    api: "ApiClient"
    _served: dict[str, Mapping[str, Object]] = field(default_factory=dict)

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Creates an object; False where one of its name exists, which is left as it is.

        Raises:
            KubeRefused: the object is not valid, or may not be created by this account.
        """
        path = self._path(_kind(manifest), _namespace(manifest))
        status, answer = self._ask("POST", path, manifest, {"fieldManager": "mainline", "fieldValidation": "Strict"})
        if status == 409 and answer.get("reason") == "AlreadyExists":
            return False
        checked(f"create {_said(manifest)}", status, answer)
        return True

    def apply(self, manifest: Mapping[str, Any], *, manager: str, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply: the fields that the manifest names are `manager`'s from now on.

        Args:
            force: takes fields over that another manager owns; without it that is a KubeRefused which names them.
            dry_run: everything is checked, nothing is stored.

        Returns:
            The object as the server has it now.
        """
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "true" if force else "false"}
        path = self._path(_kind(manifest), _namespace(manifest), str(manifest["metadata"]["name"]))
        status, answer = self._ask(
            "PATCH", path, manifest, query | ({"dryRun": "All"} if dry_run else {}), "application/apply-patch+yaml"
        )
        return checked(f"apply {_said(manifest)}", status, answer)

    def get(self, kind: tuple[str, str], name: str, namespace: str = "") -> Object | None:
        """An object by apiVersion, kind and name; None where there is none."""
        status, answer = self._ask("GET", self._path(kind, namespace, name))
        return None if status == 404 else checked(f"get {kind[1]} {namespace}/{name}", status, answer)

    def list(self, kind: tuple[str, str], namespace: str = "", *, labels: str = "") -> list[Object]:
        """The objects of a kind, of one namespace or of all, by name; `labels` is a selector such as `a=b,c!=d`."""
        query = {"labelSelector": labels} if labels else {}
        status, answer = self._ask("GET", self._path(kind, namespace), query=query)
        items = checked(f"list {kind[1]} in {namespace or 'all namespaces'}", status, answer)["items"]
        named = [{"apiVersion": kind[0], "kind": kind[1], **item} for item in items]
        return sorted(named, key=lambda item: (_namespace(item), item["metadata"]["name"]))

    def merge(self, kind: tuple[str, str], name: str, namespace: str, change: Mapping[str, Any]) -> Object:
        """Changes parts of an object (a JSON merge patch: null removes, a list is replaced whole)."""
        path = self._path(kind, namespace, name)
        status, answer = self._ask("PATCH", path, change, content_type="application/merge-patch+json")
        return checked(f"change {kind[1]} {namespace}/{name}", status, answer)

    def delete(self, kind: tuple[str, str], name: str, namespace: str = "") -> bool:
        """Deletes an object and, in the background, what it owns; False where there is none."""
        path = self._path(kind, namespace, name)
        status, answer = self._ask("DELETE", path, query={"propagationPolicy": "Background"})
        if status == 404:
            return False
        checked(f"delete {kind[1]} {namespace}/{name}", status, answer)
        return True

    def watch(
        self, kind: tuple[str, str], namespace: str = "", *, labels: str = "", seconds: int = 60
    ) -> Iterator[tuple[str, Object]]:
        """What happens to the objects of a kind from now on: (ADDED, MODIFIED or DELETED, the object).

        First every object that is there, as ADDED. Ends after `seconds`; the server may end it before.
        """
        query = {"watch": "true", "timeoutSeconds": str(seconds)} | ({"labelSelector": labels} if labels else {})
        url = f"{self._path(kind, namespace)}?{urlencode(query)}"
        status, response = self._send("GET", url, None, "application/json", seconds + _TIMEOUT_SECONDS)
        if status != 200:
            checked(f"watch {kind[1]}", status, json.loads(response.read() or "{}"))
        rest = b""
        for chunk in response.response.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for event in map(json.loads, lines):
                if event["type"] == "ERROR":
                    raise KubeFailed(f"watch {kind[1]}: {event['object'].get('message')}")
                yield event["type"], event["object"]

    def _path(self, kind: tuple[str, str], namespace: str, name: str = "") -> str:
        version, word = kind
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        if version not in self._served:
            answer = checked(f"read what {version} has", *self._ask("GET", root))
            self._served[version] = {r["kind"]: r for r in answer["resources"] if "/" not in r["name"]}
        served = self._served[version].get(word)
        if served is None:
            raise KubeRefused(f"{version} {word}: the cluster has no such kind; is what defines it installed?", 404)
        place = f"/namespaces/{quote(namespace)}" if served["namespaced"] and namespace else ""
        return f"{root}{place}/{served['name']}" + (f"/{quote(name)}" if name else "")

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Object]:
        url = f"{path}?{urlencode(query)}" if query else path
        status, response = self._send(method, url, body, content_type, _TIMEOUT_SECONDS)
        text = response.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, {"message": text[:500].decode("utf-8", "replace")}

    def _send(
        self, method: str, url: str, body: Mapping[str, Any] | None, content_type: str, seconds: float
    ) -> tuple[int, Any]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json", "Content-Type": content_type}
        request = self.api.param_serialize(
            method, url, header_params=headers, body=dict(body) if body else None, auth_settings=["BearerToken"]
        )
        try:
            response = self.api.call_api(*request, _request_timeout=seconds)
        except (ApiException, HTTPError, OSError) as err:
            raise KubeFailed(f"{self.api.configuration.host}: {method} {url.split('?')[0]}: {err}") from err
        return int(response.status), response


def connect() -> Cluster:
    """The cluster that this process runs in, else the one of the kubeconfig.

    Raises:
        ConfigError: neither is to be had.
    """
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            # named here: the client itself reads the variable only once, when it is imported
            path = os.environ.get("KUBECONFIG") or None
            config.load_kube_config(path, client_configuration=settings)  # type: ignore[no-untyped-call]
    except config.ConfigException as err:
        raise ConfigError([f"cluster: {err}; set KUBECONFIG to a file that names one"]) from err
    return Cluster(client.ApiClient(settings))


def _kind(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return str(manifest["apiVersion"]), str(manifest["kind"])


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"].get("namespace", ""))


def _said(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata.get('namespace', '')}/{metadata.get('name') or metadata.get('generateName')}"
