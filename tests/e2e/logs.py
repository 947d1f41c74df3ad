"""The controllers' logs and the cluster's events of a scenario that failed, in build/e2e/logs."""

import re
import subprocess
import time
from pathlib import Path

from tests.e2e.figures import FOLDER
from tests.e2e.given import ROOT, given

# What is asked for: namespace and name of the workload.
_WHOSE = (
    ("argo-rollouts", "deployment/argo-rollouts"),
    ("argo", "deployment/workflow-controller"),
    ("argo", "deployment/argo-server"),
    ("mainline", "deployment/drift"),
    ("mainline", "deployment/mlflow"),
    ("monitoring", "deployment/prometheus"),
    ("forge", "deployment/gitea"),
)


def keep(scenario: str, *, since: float) -> str:
    """Writes them; where they are, and what could not be had."""
    folder = FOLDER / "logs" / re.sub(r"[^A-Za-z0-9_.-]+", "-", scenario)
    folder.mkdir(parents=True, exist_ok=True)
    seconds = f"{max(1, int(time.time() - since) + 5)}s"
    asked: dict[str, tuple[str, ...]] = {
        f"{namespace}-{workload.partition('/')[2]}.log": (
            "logs", workload, "--namespace", namespace, "--all-containers", f"--since={seconds}", "--tail=5000",
        )
        for namespace, workload in _WHOSE
    }  # fmt: skip
    asked["events.txt"] = ("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp")
    asked["objects.txt"] = ("get", "rollouts,analysisruns,workflows,pods", "--all-namespaces", "--output=wide")
    asked["analysisruns.yaml"] = ("get", "analysisruns,rollouts", "--all-namespaces", "--output=yaml")
    missing = [name for name, arguments in asked.items() if not _written(folder / name, arguments)]
    told = str(folder.relative_to(ROOT))
    return told + (f"; not to be had: {', '.join(missing)}" if missing else "")


def _written(path: Path, arguments: tuple[str, ...]) -> bool:
    with path.open("w") as out:
        command = given().command(*arguments)
        return subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False, timeout=60).returncode == 0
