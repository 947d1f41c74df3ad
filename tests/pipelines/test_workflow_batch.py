"""The rendered batch prediction: what it promises a cluster, and the same text run here to its end."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from models.errors import GateClosed
from models.release import Release, release_path, render_release, unreleased
from pipelines.batch.run import TEMPLATE, Request, bundle_of, run
from pipelines.errors import RunNotFound
from pipelines.render import rendered
from pipelines.settings import Settings
from pipelines.workflow_template import read_template
from tests.pipelines.batch.conftest import Bench, bench, bundle, house_rows, spec

__all__ = ["bench", "bundle", "spec"]  # fixtures

ROOT = Path(__file__).resolve().parents[2]
RENDERED: Any = yaml.safe_load(rendered()["workflowtemplate-batch-predict.yaml"])["spec"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home", f"sqlite:///{tmp_path / 'm.db'}", (tmp_path / "artifacts").as_uri(), str(ROOT))


def checkout(folder: Path, release: Release) -> Path:
    """This checkout's code, with another release of the house."""
    for name in ("manifests", "models", "pipelines", "services"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    path = folder / release_path("production", "house")
    path.parent.mkdir(parents=True)
    path.write_text(render_release(release), encoding="utf-8")
    return folder


@pytest.fixture
def root(tmp_path: Path, bench: Bench) -> Path:
    """Where version 3 of the house is released to production."""
    order = bench.order()
    return checkout(
        tmp_path / "root",
        Release("this-machine", "house", order.version, order.bundle, order.digest, "r1", "c" * 40),
    )


def test_no_more_than_half_of_the_namespace_is_taken() -> None:
    quota = yaml.safe_load((ROOT / "manifests/platform/namespace/resourcequota.yaml").read_text())["spec"]["hard"]
    (worker,) = [each for each in RENDERED["templates"] if each["name"] == "batch-predict"]
    asked = worker["container"]["resources"]["requests"]
    assert RENDERED["parallelism"] * float(asked["cpu"].removesuffix("m")) / 1000 <= float(quota["requests.cpu"]) / 2
    assert (
        RENDERED["parallelism"] * int(asked["memory"].removesuffix("Gi"))
        <= int(quota["requests.memory"].removesuffix("Gi")) / 2
    )


def test_no_step_holds_a_token_or_knows_mlflow_or_runs_a_commits_code() -> None:
    text = yaml.safe_dump(RENDERED)
    assert "secretKeyRef" not in text
    assert "mlflow-tracking-uri" not in text
    assert {each["container"]["workingDir"] for each in RENDERED["templates"] if "container" in each} == {"/app"}


def test_the_summary_comes_whatever_became_of_the_workers() -> None:
    template = read_template(ROOT / TEMPLATE)
    tasks = {task.name: task for task in template.templates["main"].tasks}
    assert tasks["batch-predict"].with_param == "{{tasks.batch-plan.outputs.parameters.shards}}"
    for state in ("Succeeded", "Failed", "Errored"):
        assert f"batch-predict.{state}" in tasks["batch-summary"].depends
    assert {each.name: each.value for each in tasks["batch-summary"].parameters} == {
        "workers-ended": "{{tasks.batch-predict.status}}"
    }


@pytest.mark.slow
def test_a_request_is_run_to_its_end_and_again_from_where_it_was(bench: Bench, root: Path, settings: Settings) -> None:
    for number in range(3):
        bench.put(f"part-{number}.csv", house_rows(50, seed=number))
    bench.put("bad.csv", house_rows(50).assign(rooms=[99] + [3] * 49))
    request = Request("house", str(bench.source.path), str(bench.output.path), keep="id", workers=2)
    result, summary = run(root, request, settings)
    assert (result.phase, result.exit_code) == ("Failed", 3)
    assert "no predictions of bad.csv" in result.message
    assert (summary["predicted"], summary["missing"], summary["rows"]) == (3, ["bad.csv"], 150)
    result, summary = run(root, Request(**{**vars(request), "refused": "set-aside"}), settings)
    assert result.phase == "Succeeded", result
    assert (summary["predicted"], summary["skipped"], summary["missing"], summary["refused_rows"]) == (1, 3, [], 1)
    bench.put("new.csv", house_rows(5))
    result, summary = run(root, Request(**{**vars(request), "refused": "set-aside"}), settings)
    assert (result.phase, summary["files"], summary["predicted"]) == ("Succeeded", 5, 1)
    assert (summary["version"], summary["digest"]) == ("3", bench.order().digest)


@pytest.mark.slow
def test_predictions_of_former_rows_are_no_success(bench: Bench, root: Path, settings: Settings) -> None:
    bench.put("a.csv", house_rows(50))
    bench.put("b.csv", house_rows(50))
    request = Request("house", str(bench.source.path), str(bench.output.path), keep="id")
    assert run(root, request, settings)[0].phase == "Succeeded"
    bench.put("a.csv", house_rows(50, seed=2).assign(rooms=99))
    result, summary = run(root, request, settings)
    assert (result.phase, result.exit_code) == ("Failed", 3)
    assert "no predictions of a.csv" in result.message
    assert (summary["missing"], summary["skipped"]) == (["a.csv"], 1)


def test_nothing_is_predicted_without_a_release(tmp_path: Path, bench: Bench) -> None:
    root = checkout(tmp_path / "root", unreleased("house"))
    with pytest.raises(GateClosed, match=r"nothing is released to production.*--version 1"):
        bundle_of(root, Request("house", str(bench.source.path), str(bench.output.path)))


def test_a_version_is_asked_of_mlflow(store: str, tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="house version 7 is not registered"):
        bundle_of(tmp_path, Request("house", "in", "out", version="7"))
