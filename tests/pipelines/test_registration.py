"""The decision after a training, on a real MLflow store: registered, draft, reported, or refused with the reason."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.release import Release, release_path, render_release
from models.store import fetch
from pipelines import lineage, tracking
from pipelines.evaluation import evaluate
from pipelines.jsonfile import read_json
from pipelines.lineage import Origin, parameters_hash
from pipelines.registration import Outcome, Submission, register
from pipelines.steps import finish_run, refuse
from pipelines.steps import register as register_step
from pipelines.steps.entry import run as run_step
from pipelines.steps.start_run import start_run
from pipelines.steps.validate_data import validate_data
from pipelines.training import train
from tests.pipelines.conftest import World

Make = Callable[..., Origin]


@pytest.fixture
def submit(world: World, store: str, origin: Make, tmp_path: Path) -> Callable[..., Submission]:
    """Runs all steps before registration."""

    def make(model: str = "price", **changes: Any) -> Submission:
        source, where = world.source, origin(model, **changes)
        out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        run_id = start_run(source, where)
        validate_data(source, world.data, model, out / "validation")
        places = {"out_bundle": out / "bundle", "out_training": out / "training"}
        train(source, world.data, where, run_id=run_id, checkpoints="file:///nowhere", **places)
        folders = {"bundle": out / "bundle", "training": out / "training"}
        evaluate(source, world.data, model, **folders, out=out / "evaluation")
        steps = {name: out / name for name in ("evaluation", "validation")} | folders | {"out": out / "decision"}
        return Submission(source=source, model=model, branch=where.branch, commit=where.commit, run_id=run_id, **steps)

    return make


Submit = Callable[..., Submission]


def _gates(submission: Submission, **changes: Any) -> None:
    path = submission.source / "models" / submission.model / "gates.yaml"
    document = yaml.safe_load(path.read_text())
    document["spec"]["offline"].update(changes)
    path.write_text(yaml.safe_dump(document))


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(read_json(path) | changes))


def _release(submission: Submission, version: str) -> None:
    """Puts a registered version into production."""
    found = tracking.find_version(submission.model, version)
    release = Release(
        "this-machine", submission.model, version, found.uri, found.digest, submission.run_id, submission.commit
    )
    (submission.source / release_path("production", submission.model)).write_text(render_release(release))


def test_good_training_is_registered_once(submit: Submit, tmp_path: Path) -> None:
    submission = submit()
    first = register(submission)
    again = register(submit())
    assert (first.outcome, first.version, again.version) == (Outcome.REGISTERED, "1", "1")
    (version,) = tracking.versions("price")
    fetch(version.uri, tmp_path / "fetched", version.digest)  # type: ignore[arg-type]
    run = tracking.get_run(submission.run_id)
    assert (run.status, run.tags[lineage.VERSION], run.tags[lineage.OUTCOME]) == ("FINISHED", "1", "registered")
    assert run.metrics["rmse_low"] < run.metrics["rmse"] < run.metrics["rmse_high"]
    assert (tmp_path / "artifacts/price" / run.id / "artifacts/evaluation/summary.png").stat().st_size > 1000


def test_branch_is_reported_and_not_registered(submit: Submit) -> None:
    submission = submit(branch="try")
    assert register(submission).outcome is Outcome.REPORTED
    assert tracking.versions("price") == []
    assert tracking.get_run(submission.run_id).status == "FINISHED"


def _refused(submission: Submission, words: str) -> None:
    registration = register(submission)
    run = tracking.get_run(submission.run_id)
    assert registration.outcome is Outcome.REFUSED
    assert words in registration.reason
    assert (run.status, words in run.tags[lineage.REASON]) == ("FAILED", True)
    assert tracking.versions(submission.model) == []


def test_dirty_tree_is_refused_for_release(submit: Submit) -> None:
    _refused(submit(dirty=True), "dirty tree")


def test_dirty_tree_on_a_branch_is_reported(submit: Submit) -> None:
    assert register(submit(dirty=True, branch="try")).outcome is Outcome.REPORTED


def test_failed_gate_is_refused_whatever_the_evaluation_claims(submit: Submit) -> None:
    submission = submit()
    _gates(submission, limits={"rmse": {"max": 1.0, "reason": "r"}})
    _edit(submission.evaluation / "metrics.json", verdict="pass", gates=[])
    _refused(submission, "gate limits.rmse fail")
    assert read_json(submission.evaluation / "metrics.json")["verdict"] == "pass", "an input stays as it was"
    assert read_json(submission.out / "metrics.json")["verdict"] == "fail"


def test_size_is_measured_on_the_bundle_itself(submit: Submit) -> None:
    submission = submit()
    _gates(submission, bundle={"max_bytes": 100, "reason": "r"})
    _edit(submission.evaluation / "metrics.json", bundle_bytes=1)
    _refused(submission, "gate bundle fail")


def test_failed_validation_is_refused(submit: Submit) -> None:
    submission = submit()
    _edit(submission.validation / "validation.json", verdict="fail", reason="crooked")
    _refused(submission, "validation: crooked")


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"commit": "b" * 40}, "the bundle's commit"), ({"model": "kind"}, "the bundle's model")],
    ids=["commit", "model"],
)
def test_bundle_of_another_training_is_refused(changes: dict[str, str], words: str, submit: Submit) -> None:
    _refused(replace(submit(), **changes), words)  # type: ignore[arg-type]


def test_bundle_of_another_run_or_data_is_refused(submit: Submit, origin: Make) -> None:
    submission = submit()
    other = tracking.start_run(origin(data_md5="f" * 32 + ".dir"), parameters_hash="h", parameters={})
    _refused(replace(submission, run_id=other), "the bundle's run")
    assert "the bundle's data" in tracking.get_run(other).tags[lineage.REASON]


def test_evaluation_of_another_bundle_is_refused(submit: Submit) -> None:
    submission = submit()
    _edit(submission.evaluation / "metrics.json", digest="sha256:" + "0" * 64)
    _refused(submission, "the evaluation's bundle")


def test_candidate_equal_to_champion_is_refused(submit: Submit, world: World) -> None:
    first = submit()
    register(first)
    _release(first, "1")
    second = submit(commit="b" * 40)
    registration = register(second)
    assert registration.refused
    assert "identical to the champion" in registration.reason
    assert len(tracking.versions("price")) == 1
    champion = read_json(second.evaluation / "metrics.json")["champion"]
    assert (champion["version"], champion["difference"]["value"]) == ("1", 0.0)


def test_worse_candidate_fails_and_better_one_passes(submit: Submit, world: World) -> None:
    folder = world.source / "models" / "price"
    spec = yaml.safe_load((folder / "model.yaml").read_text())

    def with_alpha(alpha: float, commit: str) -> Submission:
        (folder / "model.yaml").write_text(yaml.safe_dump(spec | {"parameters": {"alpha": alpha}}))
        return submit(commit=commit * 40)

    middling = with_alpha(1e5, "b")
    _gates(middling, limits={"rmse": {"max": 1000.0, "reason": "r"}})
    assert register(middling).version == "1"
    _release(middling, "1")
    worse, better = register(with_alpha(1e7, "c")), register(with_alpha(1.0, "d"))
    assert (worse.outcome, "gate champion fail: worse by" in worse.reason) == (Outcome.REFUSED, True)
    assert (better.outcome, better.version) == (Outcome.REGISTERED, "2")


@pytest.mark.slow
def test_champion_that_needs_a_lost_column_leaves_the_gate_open(submit: Submit, world: World) -> None:
    first = submit()
    register(first)
    _release(first, "1")
    spec = yaml.safe_load((world.source / "models/price/model.yaml").read_text())
    spec["features"] = [feature for feature in spec["features"] if feature["name"] != "rooms"]
    (world.source / "models/price/model.yaml").write_text(yaml.safe_dump(spec))
    _gates(first, limits={"rmse": {"max": 1000.0, "reason": "r"}})
    table = (world.data / "price.csv").read_text().replace("rooms", "chambers", 1)
    (world.data / "price.csv").write_text(table)
    registration = register(submit(commit="b" * 40))
    assert (registration.outcome, registration.version) == (Outcome.DRAFT, "2")
    assert "gate champion inconclusive: the champion needs columns" in registration.reason


def test_step_writes_outcome_and_exits_with_the_refusals_code(submit: Submit, tmp_path: Path) -> None:
    submission = submit(dirty=True)
    fields = ("source", "model", "branch", "commit", "run_id", "bundle", "training", "evaluation", "validation", "out")
    argv = [f"--{name.replace('_', '-')}={getattr(submission, name)}" for name in fields]
    argv += [f"--outcome-file={tmp_path / 'o'}", f"--version-file={tmp_path / 'v'}"]
    assert run_step(register_step.main, argv) == 3
    assert ((tmp_path / "o").read_text(), (tmp_path / "v").read_text()) == ("refused", "")


def test_refuse_marks_the_run_and_exits_with_3(world: World, store: str, origin: Make) -> None:
    run_id = start_run(world.source, origin())
    assert run_step(refuse.main, [f"--run-id={run_id}", "--reason=labels are shuffled"]) == 3
    run = tracking.get_run(run_id)
    assert (run.status, run.tags[lineage.REASON]) == ("FAILED", "labels are shuffled")


@pytest.mark.parametrize("run_id", ["", "{{workflow.outputs.parameters.run-id}}"], ids=["empty", "unresolved"])
def test_exit_handler_without_a_run_does_nothing(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert run_step(finish_run.main, [f"--run-id={run_id}", "--status=Failed"]) == 0


def test_parameters_hash_ignores_what_training_does_not_read(world: World) -> None:
    from models.spec import load_spec

    spec = load_spec(world.source / "models" / "price")
    assert parameters_hash(spec) == parameters_hash(spec.model_copy(update={"owner": "else@b.org"}))
    assert parameters_hash(spec) != parameters_hash(spec.model_copy(update={"parameters": {"alpha": 2.0}}))
