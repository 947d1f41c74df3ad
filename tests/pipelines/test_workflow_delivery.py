"""What the workflows that follow git promise a cluster: whose code, whose rights, and which event gives them what."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.pushes import PROPOSALS
from pipelines.render import rendered

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("manifests/delivery")
OBJECTS: list[Any] = [yaml.safe_load(text) for text in rendered(FOLDER).values()]
TEMPLATES = {each["metadata"]["name"]: each["spec"] for each in OBJECTS if each["kind"] == "WorkflowTemplate"}
BINDINGS: dict[str, Any] = {
    document["metadata"]["name"]: document["spec"]
    for path in sorted((ROOT / FOLDER).glob("workfloweventbinding-*.yaml"))
    for document in [yaml.safe_load(path.read_text(encoding="utf-8"))]
}


@pytest.fixture(params=sorted(TEMPLATES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def step(name: str) -> Any:
    (found,) = TEMPLATES[name]["templates"]
    return found


def test_each_is_one_step_of_the_images_own_code_under_an_account_of_its_name(name: str) -> None:
    assert step(name)["container"]["workingDir"] == "/app"
    assert step(name).get("inputs", {}).get("artifacts", []) == [], "no commit's code is fetched"
    assert (TEMPLATES[name]["serviceAccountName"], TEMPLATES[name]["entrypoint"]) == (name, name)


def test_step_is_a_module_that_knows_its_flags(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    [*_, module] = step(name)["container"]["command"]
    assert importlib.util.find_spec(module) is not None
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(module).main(["--help"])
    assert ended.value.code == 0
    usage = capsys.readouterr().out
    for argument in step(name)["container"]["args"]:
        assert argument.split("=")[0] in usage, f"{module} {argument}"


def test_step_is_hardened(name: str) -> None:
    context = step(name)["container"]["securityContext"]
    assert (context["runAsNonRoot"], context["readOnlyRootFilesystem"]) == (True, True)
    assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})


@pytest.mark.parametrize("binding", sorted(BINDINGS))
def test_event_gives_its_template_what_that_asks_for(binding: str) -> None:
    submit = BINDINGS[binding]["submit"]
    declared = TEMPLATES[submit["workflowTemplateRef"]["name"]]["arguments"]["parameters"]
    given = {each["name"] for each in submit.get("arguments", {}).get("parameters", [])}
    assert {each["name"] for each in declared if "value" not in each} <= given <= {each["name"] for each in declared}


def test_branches_that_mainline_pushes_start_nothing() -> None:
    for prefix in PROPOSALS:
        assert f'not (payload.ref startsWith "refs/heads/{prefix}")' in BINDINGS["push"]["event"]["selector"]


def test_reconciler_runs_every_two_minutes_and_never_twice() -> None:
    (schedule,) = [each["spec"] for each in OBJECTS if each["kind"] == "CronWorkflow"]
    assert (schedule["schedules"], schedule["concurrencyPolicy"]) == (["*/2 * * * *"], "Forbid")
    assert schedule["workflowSpec"] == {"workflowTemplateRef": {"name": "reconcile"}}


def test_everything_in_the_folder_is_listed() -> None:
    listed = set(yaml.safe_load((ROOT / FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"])
    assert listed == {path.name for path in (ROOT / FOLDER).glob("*.yaml")} - {"kustomization.yaml"}
