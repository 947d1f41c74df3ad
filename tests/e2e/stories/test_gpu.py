"""`digits` asks for a GPU: its training runs on the node that has one, and says so where torch then sees none."""

import pytest

from pipelines.cluster.next_steps import TORCH
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import NODE, POD, Cluster
from tests.e2e.waiting import Clock, NotYet, until
from tests.e2e.workflow_view import Workflow

pytestmark = pytest.mark.full
_TEMPLATE = ("argoproj.io/v1alpha1", "WorkflowTemplate")
_GPU = "nvidia.com/gpu"
_BRANCH = "story/gpu"


@pytest.fixture
def torch(cluster: Cluster) -> None:
    """Skips where no image with torch was installed, or no node has a GPU to give."""
    images = {_image(cluster, name) for name in ("train-small", "train-gpu")}
    if len(images) == 1:
        pytest.skip(f"train-gpu runs the plain trainer, without torch; {TORCH} gives it one")
    if not [each for each in cluster.kube.list(NODE) if int(each["status"]["allocatable"].get(_GPU, 0))]:
        pytest.skip("no node of the cluster has a GPU")


@pytest.mark.usefixtures("torch")
def test_digits_trains_where_the_gpu_is(cluster: Cluster, forge: Forge, figures: Figures) -> None:
    forge.pull()
    path = "models/digits/train.py"
    text = (forge.clone / path).read_text(encoding="utf-8")
    count = forge.git("rev-list", "--count", "--all")
    commit = forge.commit("digits: again", {path: f"{text.rstrip()}\n# Pushed again: {count}.\n"}, branch=_BRANCH)
    clock = Clock()
    forge.push(_BRANCH)
    workflow = Workflow(cluster, "training", f"digits-{commit[:12]}-report")

    def training() -> tuple[str, str]:
        for pod in cluster.pods("training", f"workflows.argoproj.io/workflow={workflow.name}"):
            if "-train-" in pod["metadata"]["name"] and pod["spec"].get("nodeName"):
                return str(pod["metadata"]["name"]), str(pod["spec"]["nodeName"])
        raise NotYet("the training has no node yet")

    pod, node = until("digits trains", training, seconds=300)
    found = cluster.kube.get(NODE, node)
    assert found is not None
    assert found["metadata"]["labels"].get(f"{_GPU}.present") == "true"
    assert [taint["key"] for taint in found["spec"]["taints"]] == [_GPU], "nobody else is let onto it"

    def epoch() -> str:
        now = cluster.kube.get(POD, pod, "training")
        states = {each["name"]: each["state"] for each in (now or {}).get("status", {}).get("containerStatuses", [])}
        if "waiting" in (main := states.get("main", {"waiting": {"reason": "not created"}})):
            raise NotYet(str(main["waiting"].get("reason")))
        said = cluster.kubectl("logs", "-n", "training", pod, "-c", "main")
        if "epoch 1/" not in said:
            raise NotYet(said[-200:] or "nothing said")
        return said

    # the image with torch takes minutes to arrive on the node
    said = until("digits' first epoch", epoch, seconds=600)
    assert ("on cuda" in said) != ("warning: torch sees no GPU on this node: training on the CPU" in said)
    workflow.wait_succeeded(seconds=900)
    figures.note("gpu", "push_to_trained_seconds", clock.seconds)


def _image(cluster: Cluster, template: str) -> str:
    found = cluster.kube.get(_TEMPLATE, template, "training")
    assert found is not None, f"there is no WorkflowTemplate {template}: was the platform installed here?"
    (image,) = [each["value"] for each in found["spec"]["arguments"]["parameters"] if each["name"] == "image"]
    return str(image)
