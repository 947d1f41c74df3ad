"""A pod that answers in a Service's place for a while, for faults in which a part is there and is not itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.kube import Object
from tests.e2e.given import POD, Cluster, is_ready
from tests.e2e.waiting import NotYet, say, until

SERVICE = ("v1", "Service")
# Beside the label of the pods that it stands in for, which network policies know.
LABEL = "mainline.dev/stand-in"
# A Prometheus without a sample; it says so at once.
EMPTY_PROMETHEUS = """\
import http.server


class Empty(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", "0")))
        body = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST


http.server.ThreadingHTTPServer(("0.0.0.0", 9090), Empty).serve_forever()
"""


@contextmanager
def in_place_of(cluster: Cluster, namespace: str, service: str, *, image: str, script: str, port: int) -> Iterator[str]:
    """Has a Service lead to a pod that runs a Python script, which listens at `port`; yields the pod's name.

    Afterwards it leads where it led, and the pod is gone.
    """
    name = _name(service)
    _away(cluster, namespace, name)
    cluster.kube.create(_pod(namespace, service, image, script, port))
    try:

        def look() -> None:
            pod = cluster.kube.get(POD, name, namespace)
            if pod is None or not is_ready(pod):
                raise NotYet(str(pod and pod.get("status", {}).get("phase")))

        until(f"{namespace}/{name} is ready", look, seconds=90)
        _lead(cluster, namespace, service, name)
        say(f"{namespace}/{service} leads to {name}")
        yield name
    finally:
        _lead(cluster, namespace, service, None)
        _away(cluster, namespace, name)


def _lead(cluster: Cluster, namespace: str, service: str, to: str | None) -> None:
    cluster.kube.merge(SERVICE, service, namespace, {"spec": {"selector": {LABEL: to}}})


def _away(cluster: Cluster, namespace: str, name: str) -> None:
    cluster.kubectl(
        "delete", "pod", name, "--namespace", namespace, "--ignore-not-found", "--grace-period=0", "--force"
    )


def _name(service: str) -> str:
    return f"not-{service}"


def _pod(namespace: str, service: str, image: str, script: str, port: int) -> Object:
    container = {
        "name": "stand-in",
        "image": image,
        "command": ["python", "-c", script],
        "ports": [{"containerPort": port, "name": "http"}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    name = _name(service)
    labels = {"app.kubernetes.io/name": service, LABEL: name}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
