"""What the rendered training promises a cluster: who runs whose code, with which rights, and how it ends."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.expressions import holds
from pipelines.render import rendered
from pipelines.workflows.resources import CLASSES

ROOT = Path(__file__).resolve().parents[2]
RENDERED: dict[str, Any] = {
    document["metadata"]["name"]: document["spec"] for document in map(yaml.safe_load, rendered().values())
}
TEMPLATES = {name: spec for name, spec in RENDERED.items() if name != "batch-predict"}
COMMIT_CODE = {"validate-data", "train", "evaluate"}


def steps(spec: Any) -> dict[str, Any]:
    return {template["name"]: template for template in spec["templates"] if "container" in template}


@pytest.fixture(params=sorted(TEMPLATES))
def spec(request: pytest.FixtureRequest) -> Any:
    return TEMPLATES[request.param]


@pytest.fixture(params=sorted(RENDERED))
def any_spec(request: pytest.FixtureRequest) -> Any:
    """A training's, or the batch prediction's, which is hardened and declared by the same rules."""
    return RENDERED[request.param]


def test_one_template_a_resource_class() -> None:
    assert (
        set(TEMPLATES)
        == {f"train-{resources.name}" for resources in CLASSES}
        == {"train-small", "train-large", "train-gpu"}
    )


def test_only_validate_train_and_evaluate_run_the_commits_code(spec: Any) -> None:
    folders = {name: step["container"]["workingDir"] for name, step in steps(spec).items()}
    assert {name for name, folder in folders.items() if folder == "{{inputs.artifacts.source.path}}"} == COMMIT_CODE
    assert {folders[name] for name in set(folders) - COMMIT_CODE} == {"/app"}


def test_token_of_the_forge_is_in_the_proposing_step_alone(spec: Any) -> None:
    holders = {
        name for name, step in steps(spec).items() for env in step["container"]["env"] if "secretKeyRef" in str(env)
    }
    assert holders == {"propose-release"}


def test_commits_code_never_learns_where_mlflow_is(spec: Any) -> None:
    for name in COMMIT_CODE:
        assert "mlflow-tracking-uri" not in yaml.safe_dump(steps(spec)[name])


def test_every_step_is_hardened(any_spec: Any) -> None:
    for step in steps(any_spec).values():
        context = step["container"]["securityContext"]
        assert context["runAsNonRoot"]
        assert isinstance(context["runAsUser"], int)
        assert context["readOnlyRootFilesystem"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {mount["mountPath"] for mount in step["container"]["volumeMounts"]} == {"/tmp", "/outputs"}
    assert any_spec["serviceAccountName"] != "default"
    assert any_spec["automountServiceAccountToken"] is False


def test_every_step_retries_but_never_a_refusal(any_spec: Any) -> None:
    for step in steps(any_spec).values():
        retry = step["retryStrategy"]
        assert retry["retryPolicy"] == "Always"
        assert "maxDuration" not in retry["backoff"], "it would forbid a training of hours its second try"
        assert step["activeDeadlineSeconds"] < any_spec["activeDeadlineSeconds"]
        for code, tries, again in (("1", 0, True), ("1", 1, True), ("2", 0, False), ("3", 0, False)):
            assert retried(retry, code, tries) is again, (step["name"], code, tries)
        assert retried(retry, "1", 2) is False


@pytest.mark.parametrize("code", ["-1", "137", "143"])
def test_training_that_was_killed_goes_on_more_often_than_one_that_fails(spec: Any, code: str) -> None:
    retry = steps(spec)["train"]["retryStrategy"]
    assert [retried(retry, code, tries) for tries in range(6)] == [True] * 5 + [False]


def retried(retry: Any, code: str, tries: int) -> bool:
    """Whether the try number `tries` (0 is the first), ended with this code, is repeated."""
    known = {"lastRetry.exitCode": code, "retries": str(tries)}
    return tries < int(retry["limit"]) and holds(retry["expression"], known.__getitem__)


def test_workflow_cleans_up_and_takes_turns(spec: Any) -> None:
    assert spec["synchronization"] == {"mutexes": [{"name": "train-{{workflow.parameters.model}}"}]}
    assert {"ttlStrategy", "podGC", "activeDeadlineSeconds", "onExit"} <= set(spec)


def test_source_is_a_shallow_clone_of_exactly_the_commit(spec: Any) -> None:
    for step in steps(spec).values():
        for artifact in step.get("inputs", {}).get("artifacts", []):
            if artifact["name"] == "source":
                assert artifact["git"]["depth"] == 1
                assert artifact["git"]["fetch"] == ["{{workflow.parameters.commit}}:refs/heads/pinned"]


def test_only_the_gpu_class_asks_for_a_gpu_and_only_to_train() -> None:
    train = steps(TEMPLATES["train-gpu"])["train"]
    assert train["container"]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert train["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert train["nodeSelector"]
    text = yaml.safe_dump([step for name, step in steps(TEMPLATES["train-gpu"]).items() if name != "train"])
    for rest in (text, yaml.safe_dump(TEMPLATES["train-small"]), yaml.safe_dump(TEMPLATES["train-large"])):
        assert "nvidia" not in rest


def test_every_reference_of_the_dag_is_declared(any_spec: Any) -> None:
    templates = steps(any_spec)
    [dag] = [template for template in any_spec["templates"] if "dag" in template]
    for task in dag["dag"]["tasks"]:
        given, inputs = task.get("arguments", {}), templates[task["template"]].get("inputs", {})
        for kind in ("parameters", "artifacts"):
            needed = {i["name"] for i in inputs.get(kind, []) if "git" not in i}
            assert {argument["name"] for argument in given.get(kind, [])} == needed, task["name"]
        for other, kind, name in re.findall(r"tasks\.([\w-]+)\.outputs\.(\w+)\.([\w-]+)}}", yaml.safe_dump(task)):
            assert name in {output["name"] for output in templates[other]["outputs"][kind]}, task["name"]


def test_every_step_is_a_module_that_knows_its_flags(any_spec: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for step in steps(any_spec).values():
        [*_, module] = step["container"]["command"]
        assert importlib.util.find_spec(module) is not None
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(module).main(["--help"])
        assert ended.value.code == 0
        usage = capsys.readouterr().out
        for argument in step["container"]["args"]:
            assert argument.split("=")[0] in usage, f"{module} {argument}"


def test_the_least_role_is_given() -> None:
    folder = ROOT / "manifests/workflows"
    role = yaml.safe_load((folder / "role.yaml").read_text())
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    ]
    listed = set(yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"])
    assert listed == {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
