"""What a push, or a lost one, becomes: Workflows of the rendered templates, each named by model and commit."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from pipelines import tracking
from pipelines.dispatching import COMMIT, MODEL, Order, orders, submit, workflow
from pipelines.gitstore import open_store
from pipelines.kube import Cluster
from pipelines.lineage import Origin
from pipelines.pushes import Push
from pipelines.reconcile_trainings import by_workflow, due, reconcile_trainings
from pipelines.render import rendered
from pipelines.submit import Request

ZEROS = "0" * 40
REPO = "http://forge.example.org/mainline/mainline.git"


class Accepting:
    """Takes Workflows as an API server does: a name once."""

    def __init__(self) -> None:
        self.workflows: dict[str, Any] = {}

    def create(self, manifest: dict[str, Any]) -> bool:
        name = manifest["metadata"]["name"]
        new = name not in self.workflows
        self.workflows.setdefault(name, manifest)
        return new

    def list(self, kind: tuple[str, str], namespace: str, *, labels: str) -> list[Any]:
        return list(self.workflows.values())


class History:
    """A repository of two models, whose main goes on by `change`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-qb", "main")
        for model, resources in (("iris", "small"), ("property", "large")):
            self.write(f"models/{model}/model.yaml", yaml.safe_dump({"training": {"resources": resources}}))
        self.start = self.change("README.md", "0")

    def git(self, *arguments: str) -> str:
        self.folder.mkdir(exist_ok=True)
        done = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def change(self, path: str, text: str) -> str:
        self.write(path, text)
        self.git("add", "-A")
        self.git("commit", "-qm", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "repo")


@pytest.fixture
def said() -> list[str]:
    return []


def ordered(history: History, push: Push, said: list[str]) -> list[Order]:
    with open_store(history.folder) as opened:
        return orders(opened, push, said.append)


def missing(history: History, trained: dict[str, list[str]]) -> dict[str, str]:
    with open_store(history.folder) as opened:
        found = due(opened, history.git("rev-parse", "main"), lambda model: trained.get(model, []))
    return {each.request.workflow: each.reason for each in found}


def test_push_becomes_one_workflow_a_model_and_a_second_delivery_none(history: History, said: list[str]) -> None:
    commit = history.change("models/iris/train.py", "1")
    push, cluster = Push(history.start, commit, "main"), Accepting()
    names = [submit(cast(Cluster, cluster), ordered(history, push, said), REPO, said.append) for _ in range(2)]
    assert names == [[f"iris-{commit[:12]}"], []]
    assert list(cluster.workflows) == names[0]
    assert said[-1] == f"iris-{commit[:12]}: is there already: models/iris/train.py changed"


def test_workflow_gives_its_template_what_that_asks_for(history: History) -> None:
    made = workflow(Order(Request("property", history.start, "main"), "large", "why"), REPO)
    assert made["spec"]["workflowTemplateRef"] == {"name": "train-large"}
    template = yaml.safe_load(rendered()["workflowtemplate-train-large.yaml"])
    declared = template["spec"]["arguments"]["parameters"]
    given = {each["name"] for each in made["spec"]["arguments"]["parameters"]}
    assert {each["name"] for each in declared if "value" not in each} <= given <= {each["name"] for each in declared}
    assert set(made["spec"]) == {"workflowTemplateRef", "arguments"}, "who submits cannot change what runs"


@pytest.mark.parametrize(
    ("old", "expected"), [(ZEROS, "new branch"), ("f" * 40, "unknown here")], ids=["first push", "unknown before"]
)
def test_main_without_a_past_concerns_all_models(history: History, said: list[str], old: str, expected: str) -> None:
    wanted = ordered(history, Push(old, history.start, "main"), said)
    assert [(each.request.workflow, each.resources) for each in wanted] == [
        (f"iris-{history.start[:12]}", "small"),
        (f"property-{history.start[:12]}", "large"),
    ]
    assert all(expected in each.reason for each in wanted)


@pytest.mark.parametrize("old", [ZEROS, "f" * 40, "main"], ids=["new", "unknown before", "forced"])
def test_branch_without_a_past_is_compared_with_where_it_left_main(history: History, said: list[str], old: str) -> None:
    history.git("checkout", "-qb", "topic")
    commit = history.change("models/iris/train.py", "1")
    history.git("checkout", "-q", "main")
    other = history.change("models/property/train.py", "2")
    wanted = ordered(history, Push(other if old == "main" else old, commit, "topic"), said)
    assert [each.request.workflow for each in wanted] == [f"iris-{commit[:12]}-report"]
    assert ordered(history, Push(ZEROS, history.start, "same"), said) == []


def test_forced_push_says_so_and_what_it_left_behind_trains_nothing(history: History, said: list[str]) -> None:
    lost = history.change("models/iris/train.py", "1")
    history.git("reset", "-q", "--hard", history.start)
    now = history.change("models/property/train.py", "2")
    history.git("config", "uploadpack.allowAnySHA1InWant", "true")
    assert "forced push" in ordered(history, Push(lost, now, "main"), said)[0].reason
    history.git("reflog", "expire", "--expire=now", "--all")
    history.git("gc", "-q", "--prune=now")
    assert ordered(history, Push(history.start, lost, "main"), said) == []
    assert said[-1] == f"main {lost[:12]}: the forge no longer has this commit: nothing to train"


def test_push_of_overlays_and_cards_trains_nothing(history: History, said: list[str]) -> None:
    commit = history.change("models/iris/MODEL_CARD.md", "1")
    assert ordered(history, Push(history.start, commit, "main"), said) == []
    assert said == [f"main {commit[:12]}: nothing to train"]


def test_lost_push_is_due_and_a_trained_one_is_not(history: History) -> None:
    trained = {"iris": [history.start], "property": [history.start]}
    assert missing(history, trained) == {}
    lost = history.change("models/iris/train.py", "1")
    head = history.change("README.md", "2")
    reason = f"no webhook told: models/iris/train.py changed, since {history.start[:12]} was trained"
    assert missing(history, trained) == {f"iris-{head[:12]}": reason}
    assert missing(history, trained | {"iris": [lost]}) == {}, "what was pushed in between was trained"


def test_model_that_no_commit_of_main_trained_is_due(history: History) -> None:
    assert missing(history, {"iris": [history.start], "property": ["e" * 40]}) == {
        f"property-{history.start[:12]}": "no commit of main was trained yet"
    }


def test_report_of_a_branch_does_not_count_as_mains_training(history: History) -> None:
    main, report = (
        workflow(Order(Request("iris", history.start, branch), "small", "why"), REPO) for branch in ("main", "topic")
    )
    assert by_workflow([report]) == {}
    assert by_workflow([main, report]) == {"iris": [history.start]}
    assert main["metadata"]["labels"] | {MODEL: "iris", COMMIT: history.start} == main["metadata"]["labels"]


def reconciled(history: History, cluster: Accepting, *, since: str = "") -> list[str]:
    with open_store(history.folder) as opened:
        return reconcile_trainings(cast(Cluster, cluster), opened, REPO, since=since, say=lambda _: None)


def test_reconciler_submits_what_is_due_once(history: History, store: str) -> None:
    cluster, at = Accepting(), history.start[:12]
    assert reconciled(history, cluster) == [f"iris-{at}", f"property-{at}"]
    assert reconciled(history, cluster) == []
    head = history.change("models/iris/train.py", "1")
    assert reconciled(history, cluster) == [f"iris-{head[:12]}"]


def test_run_in_mlflow_counts_where_its_workflow_is_gone(history: History, store: str) -> None:
    origin = Origin(
        model="iris", commit=history.start, branch="main", data_md5="d", workflow="w", image="i", dirty=False
    )  # fmt: skip
    tracking.start_run(origin, parameters_hash="h", parameters={})
    tracking.start_run(replace(origin, model="property", branch="topic"), parameters_hash="h", parameters={})
    assert reconciled(history, Accepting()) == [f"property-{history.start[:12]}"], "a branch's run is no release"


def test_installation_begins_where_it_says(history: History, store: str) -> None:
    assert reconciled(history, Accepting(), since=history.start) == []
    head = history.change("models/iris/train.py", "1")
    assert reconciled(history, Accepting(), since=history.start) == [f"iris-{head[:12]}"]


@pytest.mark.parametrize("back", [1, 6], ids=["recent", "further back than was fetched"])
def test_history_is_fetched_as_far_as_it_is_needed(history: History, said: list[str], back: int) -> None:
    for number in range(5):
        history.change("README.md", f"{number} again")
    commit = history.change("models/iris/train.py", "1")
    old = history.git("rev-parse", f"HEAD~{back}")
    with open_store(f"file://{history.folder}", recent=3) as opened:
        wanted = orders(opened, Push(old, commit, "main"), said.append)
        assert (opened.folder / "shallow").exists() is (back == 1)
    assert [each.request.workflow for each in wanted] == [f"iris-{commit[:12]}"]
