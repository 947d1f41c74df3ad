"""A training that takes its time and keeps its state: what faults interrupt. On a branch, so nothing is released."""

import re
import time
from dataclasses import dataclass

from tests.e2e.forge import Forge
from tests.e2e.given import Cluster
from tests.e2e.waiting import NotYet, until
from tests.e2e.workflow_view import Workflow

MODEL = "iris"
_TRAIN = "workflows.argoproj.io/workflow={name}"
# Each epoch a second of nothing and one save, so that a try shows how far the one before it came.
_FIT = '''"""The same model, slowly: a fault interrupts it."""

import time
from collections.abc import Mapping
from typing import Any

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def fit(table: pd.DataFrame, parameters: Mapping[str, object], checkpoint: Any = None) -> Pipeline:
    done = int(checkpoint.load() or b"0")
    print(f"begins after epoch {{done}}", flush=True)
    for epoch in range(done + 1, {epochs} + 1):
        time.sleep(1)
        checkpoint.save(str(epoch).encode())
        print(f"epoch {{epoch}}", flush=True)
    rows = table.drop(columns="species").to_numpy(dtype="float64")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=float(str(parameters["C"])), max_iter=1000))
    return model.fit(rows, table["species"].to_numpy(dtype=str))
'''


@dataclass(frozen=True)
class SlowTraining:
    """One that runs in the cluster."""

    cluster: Cluster
    workflow: Workflow
    commit: str

    def wait_epoch(self, number: int, *, seconds: float, but: str = "") -> str:
        """The name of the pod that trains, once it has done so many epochs; another pod than `but`."""

        def look() -> str:
            for pod in self.cluster.pods("training", _TRAIN.format(name=self.workflow.name)):
                name = str(pod["metadata"]["name"])
                if "-train-" in name and name != but and self.epochs(name)[1:] >= [number]:
                    return name
            raise NotYet("no pod trains")

        return until(f"{self.workflow.name}: epoch {number}", look, seconds=seconds)

    def epochs(self, pod: str) -> list[int]:
        """What a try says: after which epoch it began, and which it did last (nothing before it has begun)."""
        try:
            said = self.cluster.kubectl("logs", "-n", "training", pod, "-c", "main")
        except AssertionError as err:
            raise NotYet(str(err)) from err
        begun, done = re.findall(r"^begins after epoch (\d+)", said, re.M), re.findall(r"^epoch (\d+)", said, re.M)
        return [int(each) for each in [*begun[:1], *done[-1:]]]


def push(cluster: Cluster, forge: Forge, branch: str, *, epochs: int) -> SlowTraining:
    """Pushes the branch with the slow training; the Workflow is the cluster's to make."""
    files = {f"models/{MODEL}/train.py": _FIT.format(epochs=epochs), **another_penalty(forge)}
    commit = forge.commit(f"{MODEL}: train slowly", files, branch=branch)
    forge.push(branch)
    return SlowTraining(cluster, Workflow(cluster, "training", f"{MODEL}-{commit[:12]}-report"), commit)


def another_penalty(forge: Forge) -> dict[str, str]:
    """iris' model.yaml with a penalty that nothing was trained with: the same model again would be refused as such."""
    forge.pull()
    path = f"models/{MODEL}/model.yaml"
    text = (forge.clone / path).read_text(encoding="utf-8")
    penalty = 2 + time.time() % 100000 / 50000
    changed, count = re.subn(r"^(  C: )[\d.]+", rf"\g<1>{penalty:.5f}", text, flags=re.MULTILINE)
    assert count == 1, f"{path} has no C"
    return {path: changed}
