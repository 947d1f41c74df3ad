"""Steady traffic in the cluster: a pod of load.py for each model, in a namespace of its own, and what it counted."""

import gzip
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.rows import decode
from pipelines.kube import KubeFailed, Object
from pipelines.rehearsal.simulate.pool import load_features, traffic_rows
from tests.e2e.given import NAMESPACE, POD, Cluster, is_ready
from tests.e2e.waiting import NotYet, say, until

SCRIPT = Path(__file__).with_name("load.py")
LOAD_NAMESPACE = "e2e-load"
# Distinct ones, above each gate's minimum; as JSON and compressed below a ConfigMap's megabyte.
ROWS = 1500
RATE = 40.0
_PORT = 8000


@dataclass(frozen=True)
class Counts:
    """What callers saw in a span.

    Attributes:
        answered: by version and digest.
        failed: by status or kind of the connection's error.
        slow: took longer than a second.
    """

    sent: int
    answered: Mapping[tuple[str, str], int]
    failed: Mapping[str, int]
    slow: int

    @property
    def n_failed(self) -> int:
        """All of them."""
        return sum(self.failed.values())

    def of(self, digest: str) -> int:
        """Answered by a digest."""
        return sum(count for (_, found), count in self.answered.items() if found == digest)

    def __str__(self) -> str:
        told = ", ".join(f"{count} by {version} {digest[7:15]}" for (version, digest), count in self.answered.items())
        failed = ", ".join(f"{count} {why}" for why, count in self.failed.items()) or "0"
        return f"{self.sent} sent; answered: {told or 'none'}; failed: {failed}"


@dataclass
class Traffic:
    """The traffic of one model.

    Attributes:
        seconds: by second since it began, what was counted there.
    """

    cluster: Cluster
    name: str
    started: float = 0.0
    seconds: dict[int, Counter[str]] = field(default_factory=dict)
    _now: int = 0

    def mark(self) -> int:
        """This second; counts are taken from it on."""
        self._read()
        return self._now

    def counts(self, since: int = 0, until: int | None = None) -> Counts:
        """What was seen in the seconds from `since` to now, or to before `until`, once nothing of it is in flight."""
        end = self.mark() if until is None else until
        total: Counter[str] = Counter()
        for second, found in self.seconds.items():
            if since <= second < end:
                total += found
        answered, failed = {}, {}
        for key, count in total.items():
            how, _, what = key.partition(" ")
            if how == "answered":
                version, digest = what.split(" ")
                answered[version, digest] = count
            elif how == "failed":
                failed[what] = count
        return Counts(total["sent"], answered, failed, total["slow"])

    def last_second_of(self, digest: str) -> int:
        """The last second in which a digest answered; -1 where none did."""
        self._read()
        found = [at for at, counts in self.seconds.items() if any(key.endswith(f" {digest}") for key in counts)]
        return max(found, default=-1)

    def at(self, second: int) -> float:
        """A second of this traffic, in seconds since 1970."""
        return self.started + second

    def rate(self, per_second: float) -> None:
        """From now on so many; 0 pauses."""
        self.cluster.call(LOAD_NAMESPACE, self._pod, "rate", query={"value": f"{per_second:g}"})

    def settle(self) -> Counts:
        """Waits until a span's last requests have ended; all counts."""
        end = self.mark() + 1

        def look() -> Counts:
            self._read()
            found = self.counts(0, end)
            open_now = found.sent - sum(found.answered.values()) - found.n_failed
            if self._now <= end or open_now:
                raise NotYet(f"{open_now} in flight")
            return found

        return until(f"{self.name}: the last requests end", look, seconds=15)

    @property
    def _pod(self) -> str:
        return f"pods/{self.name}:{_PORT}"

    def _read(self) -> None:
        since = max(0, self._now - 10)
        told = self.cluster.call(LOAD_NAMESPACE, self._pod, "counts", query={"since": str(since)})
        if self.started and abs(told["started"] - self.started) > 1:
            raise AssertionError(f"{self.name}: the callers' pod was started anew, its counts are lost")
        self.started, self._now = told["started"], told["second"]
        self.seconds |= {int(second): Counter(found) for second, found in told["counts"].items()}


class Callers:
    """Starts and stops traffic; one for a suite."""

    def __init__(self, cluster: Cluster, image: str) -> None:
        self.cluster, self.image = cluster, image
        self._running: dict[str, Traffic] = {}

    def start(self, model: str, *, environment: str = "production", rate: float = RATE, drift: float = 0.0) -> Traffic:
        """Calls a model's service with rows like its table's, drifted by so many standard deviations.

        The same again where it runs already, at this rate.
        """
        name = f"{model}-{environment}" + ("-drifted" if drift else "")
        if name in self._running:
            self._running[name].rate(rate)
            return self._running[name]
        return self.to(name, f"http://serving.{model}-{environment}.svc/predict", bodies(model, drift), rate=rate)

    def to(self, name: str, url: str, rows: bytes, *, rate: float = RATE) -> Traffic:
        """Calls any address with such bodies: gzipped, one a line."""
        self.prepare()
        self.stop(name)
        content = {"load.py": b64encode(SCRIPT.read_bytes()).decode(), "rows.gz": b64encode(rows).decode()}
        metadata = {"name": name, "namespace": LOAD_NAMESPACE}
        script = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": content}
        self.cluster.kube.apply(script, manager="e2e", force=True)
        self.cluster.kube.create(_pod(name, self.image, ["python", "/load/load.py", url, "/load/rows.gz", f"{rate:g}"]))
        traffic = Traffic(self.cluster, name)

        def look() -> int:
            pod = self.cluster.kube.get(POD, name, LOAD_NAMESPACE)
            if pod is None or not is_ready(pod):
                raise NotYet(str(pod and pod.get("status", {}).get("phase")))
            return traffic.mark()

        until(f"callers of {name}", look, seconds=90)
        self._running[name] = traffic
        return traffic

    def stop(self, name: str) -> None:
        """Ends one; what it counted is gone with it."""
        self._running.pop(name, None)
        self.cluster.kubectl(
            "delete", "pod", name, "--namespace", LOAD_NAMESPACE, "--ignore-not-found", "--grace-period=0", "--force"
        )

    def close(self) -> None:
        """Ends all, and the namespace with them."""
        for name, traffic in self._running.items():
            try:
                say(f"callers of {name}: {traffic.counts()}")
            except KubeFailed as err:
                say(f"callers of {name}: {err}")
        self._running.clear()
        self.cluster.kube.delete(NAMESPACE, LOAD_NAMESPACE)

    def prepare(self) -> None:
        """The namespace that the callers are in; serving's policy lets it in by its label."""
        labels = {"mainline.dev/client": "true", "pod-security.kubernetes.io/enforce": "restricted"}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LOAD_NAMESPACE, "labels": labels}}

        def look() -> None:
            found = self.cluster.kube.get(NAMESPACE, LOAD_NAMESPACE)
            if found is not None and "deletionTimestamp" in found["metadata"]:
                raise NotYet("the former one is on its way out")
            self.cluster.kube.apply(namespace, manager="e2e", force=True)

        until(f"namespace {LOAD_NAMESPACE}", look, seconds=60)


def bodies(model: str, drift: float = 0.0, rows: int = ROWS) -> bytes:
    """Rows of a model as its callers send them, from a fixed seed: gzipped, one a line."""
    found = decode(traffic_rows(model, drift, rows, np.random.default_rng(0)), load_features(model))
    return gzip.compress(b"\n".join(json.dumps(row).encode() for row in found), mtime=0)


def _pod(name: str, image: str, command: list[str]) -> Object:
    container = {
        "name": "load",
        "image": image,
        "command": command,
        "ports": [{"containerPort": _PORT, "name": "http"}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "load", "mountPath": "/load"}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "load", "configMap": {"name": name}}],
    }
    metadata = {"name": name, "namespace": LOAD_NAMESPACE, "labels": {"app.kubernetes.io/name": "load"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
