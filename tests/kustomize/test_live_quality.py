"""The optional gate on live quality: one more component of an overlay, filled from gates.yaml, gone without a trace."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.errors import ConfigError
from models.gates_spec import load_gates
from pipelines.build import build_folder, build_overlay, objects
from pipelines.lint.judge import judge
from pipelines.rehearsal.metric import Web
from pipelines.rehearsal.template import resolve, templates_in
from pipelines.tools import ROOT
from services.drift.requests import QualityRequest, parse

Built = list[dict[str, Any]]
Build = Callable[[Path, str, str], str]
TEMPLATE = ROOT / "manifests/analysis-live-quality/analysistemplate-live-quality.yaml"
QUALITY = """\
    quality:
      min_feedback: 200
      max_worse: 0.15
      alpha: 0.001
      window: 6h
      interval: 1m
      count: 30
      reason: a seventh of stable's usual error is what a caller notices
"""
# Both strategies.
MODELS = ("iris", "property")


def choose(root: Path, model: str, quality: str = QUALITY) -> None:
    overlay = root / f"kustomize/overlays/production/{model}/kustomization.yaml"
    text = overlay.read_text(encoding="utf-8").rstrip("\n")
    overlay.write_text(f"{text}\n  - ../../../components/live-quality\n", encoding="utf-8")
    gates = root / f"models/{model}/gates.yaml"
    gates.write_text(
        gates.read_text(encoding="utf-8").replace("  online:\n", f"  online:\n{quality}"), encoding="utf-8"
    )


def decisive(built: Built) -> dict[str, Any]:
    """The analysis in which the gate stands."""
    (rollout,) = [each for each in built if each["kind"] == "Rollout"]
    ((name, strategy),) = rollout["spec"]["strategy"].items()
    if name == "blueGreen":
        found = [strategy["postPromotionAnalysis"]]
        assert {"templateName": "live-quality"} not in strategy["prePromotionAnalysis"]["templates"]
    else:
        steps = [step["analysis"] for step in strategy["steps"] if "analysis" in step]
        found = [step for step in steps if {"templateName": "live-quality"} in step["templates"]]
    (analysis,) = found
    assert isinstance(analysis, dict)
    return analysis


@pytest.mark.parametrize("model", MODELS)
def test_the_component_adds_one_template_to_the_decisive_step_and_changes_nothing_else(
    scratch: Path, build: Build, model: str
) -> None:
    before = objects(build(ROOT, "production", model))
    choose(scratch, model)
    after: Built = objects(build_overlay(scratch, "production", model))
    analysis = decisive(after)
    assert [each["templateName"] for each in analysis["templates"]][-2:] == ["prediction-shift", "live-quality"]
    analysis["templates"].pop()
    (template,) = [each for each in after if each["metadata"]["name"] == "live-quality"]
    assert template["metadata"]["labels"]["app.kubernetes.io/instance"] == model
    assert template["metadata"]["namespace"] == f"{model}-production"
    after.remove(template)
    (rollout,) = [each for each in after if each["kind"] == "Rollout"]
    assert rollout["metadata"]["labels"].pop("mainline.dev/feedback") == "awaited"
    assert after == before


@pytest.mark.parametrize("model", MODELS)
def test_it_asks_the_judge_with_the_thresholds_of_gates_yaml(scratch: Path, tool: None, model: str) -> None:
    choose(scratch, model)
    built = objects(build_overlay(scratch, "production", model))
    analysis = decisive(built)
    given = {each["name"]: each.get("value", f"{each['name']}1") for each in analysis["args"]}
    templates = templates_in(built)
    # all of the step's templates together, as Argo merges them: names of metrics are unique, arguments agree
    names = [each["templateName"] for each in analysis["templates"]]
    resolved = resolve(names, templates, given)
    metrics = {metric.name: metric for metric in resolved}
    assert len(metrics) == len(resolved)
    declared: dict[str, str | None] = {}
    for name in names:
        for argument in templates[name]["spec"]["args"]:
            assert declared.setdefault(argument["name"], argument.get("value")) == argument.get("value")
    assert {name for name, value in declared.items() if value is None} <= set(given)
    metric = metrics["live-quality"]
    assert isinstance(metric.provider, Web)
    body = json.loads(metric.provider.body or "")
    request = parse(body | {"candidate_hash": "c0ffee", "stable_hash": "5afe"})
    assert isinstance(request, QualityRequest)
    assert set(QualityRequest.model_fields) == set(body)
    assert (request.environment, request.model) == ("production", model)
    assert (request.min_feedback, request.max_worse) == (200, 0.15)
    assert request.window.total_seconds() == 6 * 3600
    assert (metric.interval, metric.count, metric.inconclusive_limit) == (60, 30, 30)
    assert (metric.consecutive_success_limit, metric.failure_limit) == (1, 0)


@pytest.mark.parametrize("model", MODELS)
def test_an_overlay_with_it_lints_clean(scratch: Path, tool: None, model: str) -> None:
    choose(scratch, model)
    report = judge({model: build_overlay(scratch, "production", model)}, complete=True)
    assert report.findings == []
    assert not report.unreadable


@pytest.mark.parametrize("missing", ["", "    quality:\n      min_feedback: 200\n      reason: the rest is missing\n"])
def test_gates_without_a_quality_do_not_build(scratch: Path, tool: None, missing: str) -> None:
    choose(scratch, "iris", missing)
    with pytest.raises(ConfigError, match=r"spec\.online\.quality"):
        build_overlay(scratch, "production", "iris")


def test_its_thresholds_are_read_as_every_other_gates(scratch: Path) -> None:
    choose(scratch, "iris")
    read = load_gates(scratch / "models/iris").online.quality
    assert read is not None
    assert read.model_dump() == yaml.safe_load(QUALITY)["quality"]


@pytest.mark.parametrize("model", MODELS)
def test_a_rehearsal_leaves_it_out_for_nobody_tells_the_truth_there(scratch: Path, tool: None, model: str) -> None:
    def analyses() -> object:
        built: Built = objects(build_folder(scratch, "kustomize/rehearsed"))
        (rollout,) = [each for each in built if each["kind"] == "Rollout"]
        return rollout["spec"]

    folder = scratch / "kustomize/rehearsed"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"resources: [../overlays/production/{model}]\ncomponents: [../components/rehearsal]\n",
        encoding="utf-8",
    )
    before = analyses()
    choose(scratch, model)
    assert analyses() == before


def test_the_template_holds_no_threshold_of_its_own() -> None:
    template = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    for argument in template["spec"]["args"]:
        assert argument.get("value", "unset") == "unset" or argument["name"] == "judge-address"
    (metric,) = template["spec"]["metrics"]
    for field in ("interval", "count", "inconclusiveLimit", "consecutiveErrorLimit"):
        assert re.fullmatch(r"\{\{args\.(quality-[a-z]+|scrape-retries)\}\}", metric[field])
