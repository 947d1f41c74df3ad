"""A Workflow in the cluster: its first process, its steps, its end."""

import time
from dataclasses import dataclass

from pipelines.kube import WORKFLOW, Object
from tests.e2e.given import Cluster
from tests.e2e.waiting import NotYet, until

_LABEL = "workflows.argoproj.io/workflow"


@dataclass(frozen=True)
class Workflow:
    """One, by its name; it may not be there yet."""

    cluster: Cluster
    namespace: str
    name: str

    def wait_first_process(self, *, seconds: float) -> float:
        """When a step's main container was first seen to run, in seconds since 1970."""

        def look() -> float:
            pods = self.cluster.pods(self.namespace, f"{_LABEL}={self.name}")
            for pod in pods:
                for container in pod.get("status", {}).get("containerStatuses", []):
                    if container["name"] == "main" and not container["state"].get("waiting"):
                        return time.time()
            raise NotYet(", ".join(each["status"]["phase"] for each in pods) or "no pod")

        return until(f"{self.name}: its first process", look, seconds=seconds, every=0.2)

    def wait_ended(self, *, seconds: float) -> Object:
        """The Workflow once it has ended."""

        def look() -> Object:
            found = self._get()
            status = found.get("status", {})
            if status.get("phase") not in ("Succeeded", "Failed", "Error"):
                raise NotYet(f"{status.get('phase', 'Pending')} {status.get('progress', '')}: {running(found)}")
            return found

        return until(f"{self.name} ends", look, seconds=seconds)

    def wait_succeeded(self, *, seconds: float) -> Object:
        """The same, and it went well.

        Raises:
            AssertionError: it did not; with the steps that failed.
        """
        found = self.wait_ended(seconds=seconds)
        assert found["status"]["phase"] == "Succeeded", f"{self.name}: {found['status']['phase']}: {failed(found)}"
        return found

    def _get(self) -> Object:
        found = self.cluster.kube.get(WORKFLOW, self.name, self.namespace)
        if found is None:
            raise NotYet(f"no Workflow {self.name} in {self.namespace}")
        return found


def running(workflow: Object) -> str:
    """The steps that run."""
    names = [n["displayName"] for n in _pods(workflow) if n.get("phase") in ("Pending", "Running")]
    return ", ".join(names) or workflow.get("status", {}).get("message", "nothing runs")


def failed(workflow: Object) -> str:
    """The steps that failed, with what is known of each."""
    found = [n for n in _pods(workflow) if n.get("phase") in ("Failed", "Error")]
    told = [f"{n['displayName']}: {n.get('message', n['phase'])}" for n in found]
    return "; ".join(told) or str(workflow.get("status", {}).get("message", ""))


def _pods(workflow: Object) -> list[Object]:
    nodes = workflow.get("status", {}).get("nodes", {})
    return [each for each in nodes.values() if each.get("type") == "Pod"]
