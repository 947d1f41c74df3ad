"""Thresholds of a rollout: written in gates.yaml, found in the AnalysisTemplates, and nowhere else."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.duration import seconds
from models.errors import ConfigError
from pipelines.build import build_overlay, objects
from pipelines.rehearsal.analysis import ERROR_RETRY_SECONDS
from pipelines.rehearsal.metric import Metric, Prometheus, Web
from pipelines.rehearsal.template import resolve, templates_in
from pipelines.tools import ROOT
from services.drift.requests import parse
from services.serving.metrics import BUCKETS_SECONDS

Built = list[dict[str, Any]]
Read = Callable[[Path, str, str], Built]
TEMPLATES = sorted((ROOT / "manifests" / "analysis").glob("analysistemplate-*.yaml"))


@pytest.fixture
def built(read: Read, overlay: tuple[str, str]) -> Built:
    return read(ROOT, *overlay)


def online(root: Path, model: str) -> dict[str, Any]:
    read = yaml.safe_load((root / "models" / model / "gates.yaml").read_text(encoding="utf-8"))["spec"]["online"]
    assert isinstance(read, dict)
    return read


def arguments(built: Built) -> dict[str, set[str]]:
    """Every value that the templates have for an argument, by its name."""
    values: dict[str, set[str]] = {}
    for template in templates_in(built).values():
        for argument in template["spec"]["args"]:
            if "value" in argument:
                values.setdefault(argument["name"], set()).add(argument["value"])
    return values


def fields(gates: dict[str, Any]) -> Iterator[tuple[str, str, object]]:
    for gate, values in gates.items():
        for field, value in values.items():
            if field != "reason":
                yield gate, field, value


def analyses(built: Built) -> list[tuple[str, dict[str, Any]]]:
    """Every analysis of the Rollout with the place where it stands."""
    (rollout,) = [each for each in built if each["kind"] == "Rollout"]
    ((name, strategy),) = rollout["spec"]["strategy"].items()
    if name == "blueGreen":
        return [(key, strategy[key]) for key in ("prePromotionAnalysis", "postPromotionAnalysis")]
    steps = [(f"steps[{i}]", step["analysis"]) for i, step in enumerate(strategy["steps"]) if "analysis" in step]
    return [("background", strategy["analysis"]), *steps]


def metrics(built: Built, analysis: dict[str, Any]) -> tuple[Metric, ...]:
    """The analysis' metrics, with words for the hashes."""
    given = {each["name"]: each.get("value", each["name"]) for each in analysis["args"]}
    return resolve([each["templateName"] for each in analysis["templates"]], templates_in(built), given)


def test_every_threshold_reaches_the_argument_that_is_named_after_it(built: Built, overlay: tuple[str, str]) -> None:
    found = arguments(built)
    gates = online(ROOT, overlay[1])
    gates.pop("half")  # a canary's own: in its Rollout
    for gate, field, value in fields(gates):
        assert found.pop(f"{gate}-{field.replace('_', '-')}") == {str(value)}, (gate, field)
    # What is left says where to ask, and about which model in which environment.
    addresses = {"prometheus-address", "judge-address", "preview-address", "active-address"}
    assert set(found) == addresses | {"environment", "model"}
    assert (found["environment"], found["model"]) == ({overlay[0]}, {overlay[1]})
    assert found["preview-address"] == {f"http://serving-preview.{overlay[1]}-{overlay[0]}.svc"}
    assert found["active-address"] == {f"http://serving.{overlay[1]}-{overlay[0]}.svc"}


def test_changing_one_value_changes_one_argument_of_the_built_overlay(scratch: Path, tool: None) -> None:
    before = build_overlay(scratch, "production", "iris").splitlines()
    file = scratch / "models/iris/gates.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count("max_ratio: 0.005") == 1
    file.write_text(text.replace("max_ratio: 0.005", "max_ratio: 0.0025"), encoding="utf-8")
    after = build_overlay(scratch, "production", "iris").splitlines()
    (changed,) = [(old, new, at) for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert [line.strip() for line in changed[:2]] == ['value: "0.005"', 'value: "0.0025"']
    assert before[changed[2] - 1].strip() == "- name: errors-max-ratio"


def test_a_gate_without_a_value_does_not_build(scratch: Path, tool: None) -> None:
    file = scratch / "models/iris/gates.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("      max_ratio: 0.005\n", ""), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"spec\.online\.errors\.max_ratio"):
        build_overlay(scratch, "production", "iris")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem.removeprefix("analysistemplate-"))
def test_a_template_holds_no_threshold_of_its_own(path: Path) -> None:
    template = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert path.stem == f"analysistemplate-{template['metadata']['name']}"
    for argument in template["spec"]["args"]:
        assert argument.get("value", "unset") == "unset" or argument["name"].endswith("-address")
    for metric in template["spec"]["metrics"]:
        for condition in (metric["successCondition"], metric["failureCondition"]):
            bare = re.sub(r"\{\{.*?\}\}|len\(result\) > 0|result\[0\]", "", condition)
            assert not re.search("[0-9]", bare), condition
        for field in ("interval", "count", "initialDelay"):
            assert "{{args." in metric.get(field, "{{args."), (metric["name"], field)


def test_every_question_is_about_the_candidates_own_pods_and_answers_nothing_without_samples(built: Built) -> None:
    for _, analysis in analyses(built):
        for metric in metrics(built, analysis):
            assert metric.success_condition
            assert metric.failure_condition
            assert metric.failure_limit == 0
            if isinstance(metric.provider, Prometheus):
                query = metric.provider.query
                selectors = re.findall(r"(?:mainline|process)_[a-z_]+(?=\{|\[)|\bup(?=\{)", query)
                assert len(selectors) == query.count('rollouts_pod_template_hash="')
                assert "time() - max(timestamp(" in query
                assert "len(result) > 0 && !isNaN(result[0])" in metric.success_condition


def test_what_decides_is_in_line_and_waits_while_the_guard_only_aborts(built: Built) -> None:
    for place, analysis in analyses(built):
        for metric in metrics(built, analysis):
            if place == "background":
                assert metric.template == "error-storm"
                assert metric.count is None
            else:
                assert metric.template != "error-storm"
                assert metric.count is not None
                assert metric.consecutive_success_limit >= 1
                assert metric.inconclusive_limit == metric.count


def test_arguments_of_an_analysis_are_all_given_and_all_taken(built: Built) -> None:
    for place, analysis in analyses(built):
        declared: dict[str, str | None] = {}
        for reference in analysis["templates"]:
            for argument in templates_in(built)[reference["templateName"]]["spec"]["args"]:
                name, value = argument["name"], argument.get("value")
                # Argo refuses an analysis whose templates disagree about an argument.
                assert declared.setdefault(name, value) == value, (place, name)
        open_ones = {name for name, value in declared.items() if value is None}
        given = {argument["name"] for argument in analysis["args"]}
        assert open_ones <= given <= set(declared), place


def test_the_former_pods_outlive_the_analysis_after_the_switch(built: Built) -> None:
    (rollout,) = [each for each in built if each["kind"] == "Rollout"]
    strategy = rollout["spec"]["strategy"].get("blueGreen")
    if strategy is None:
        return
    assert "autoPromotionSeconds" not in strategy
    waits = [
        max(metric.initial_delay + (metric.interval or 0) * (metric.count or 1) for metric in metrics(built, analysis))
        for _, analysis in analyses(built)
    ]
    assert waits[1] < strategy["scaleDownDelaySeconds"]
    # These analyses count as time without progress: one that waits would end as aborted instead of paused.
    assert max(waits) < rollout["spec"]["progressDeadlineSeconds"]


def test_after_a_switch_nothing_stops_watching_before_the_memory_is_judged(built: Built) -> None:
    (rollout,) = [each for each in built if each["kind"] == "Rollout"]
    if "blueGreen" not in rollout["spec"]["strategy"]:
        return
    memory_window = arguments(built)["saturation-memory-window"].pop()
    watched = {
        metric.name: (metric.interval or 0) * (metric.consecutive_success_limit - 1)
        for metric in metrics(built, analyses(built)[1][1])
        if metric.template in ("error-ratio", "latency", "saturation") and metric.name != "memory"
    }
    assert len(watched) == 6
    assert min(watched.values()) >= seconds(memory_window)


def test_a_canarys_last_step_asks_about_half_of_the_traffic_alone(built: Built, overlay: tuple[str, str]) -> None:
    (rollout,) = [each for each in built if each["kind"] == "Rollout"]
    if "canary" not in rollout["spec"]["strategy"]:
        return
    half = online(ROOT, overlay[1])["half"]
    weight, pause, last = rollout["spec"]["strategy"]["canary"]["steps"][-3:]
    assert weight == {"setWeight": 50}
    given = {each["name"]: each.get("value") for each in last["analysis"]["args"]}
    for gate in ("errors", "latency", "saturation"):
        assert given[f"{gate}-window"] == pause["pause"]["duration"] == half["window"]
        assert given[f"{gate}-min-requests"] == str(half["min_requests"])


def test_an_address_that_does_not_answer_is_waited_for_about_as_long_as_samples(built: Built) -> None:
    for place, analysis in analyses(built):
        for metric in metrics(built, analysis):
            if place != "background" and metric.template != "replay":
                waits = (metric.interval or 0) * (metric.count or 1)
                assert waits <= metric.consecutive_error_limit * ERROR_RETRY_SECONDS <= 1.2 * waits, metric.name


def test_a_canarys_first_question_comes_two_scrapes_after_its_pods(built: Built, overlay: tuple[str, str]) -> None:
    (rollout,) = [each for each in built if each["kind"] == "Rollout"]
    strategy = rollout["spec"]["strategy"].get("canary")
    if strategy is None:
        return
    settle = seconds(online(ROOT, overlay[1])["scrape"]["settle"])
    kinds = [next(iter(step)) for step in strategy["steps"]]
    assert 5 <= len(kinds) <= 8
    first = kinds.index("analysis")
    assert kinds[first - 1] == "pause"
    assert seconds(strategy["steps"][first - 1]["pause"]["duration"]) >= settle
    assert [each["templateName"] for each in strategy["steps"][first]["analysis"]["templates"]] == ["enough-samples"]
    assert all(metric.initial_delay >= settle for metric in metrics(built, strategy["analysis"]))


@pytest.mark.parametrize("model", sorted(path.parent.name for path in ROOT.glob("models/*/gates.yaml")))
def test_a_p99_limit_is_a_bound_of_the_histogram(model: str) -> None:
    assert online(ROOT, model)["latency"]["max_p99_seconds"] in BUCKETS_SECONDS
    assert online(ROOT, model)["storm"]["max_p90_seconds"] in BUCKETS_SECONDS


def test_memory_limit_is_below_the_pods_own(built: Built, overlay: tuple[str, str]) -> None:
    (rollout,) = [each for each in built if each["kind"] == "Rollout"]
    (container,) = rollout["spec"]["template"]["spec"]["containers"]
    mebibytes = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
    assert online(ROOT, overlay[1])["saturation"]["max_memory_bytes"] < mebibytes * 2**20


def test_the_judge_takes_what_it_is_asked_and_decides_nothing_by_a_default(built: Built) -> None:
    asked = set()
    for _, analysis in analyses(built):
        for metric in metrics(built, analysis):
            if isinstance(metric.provider, Web):
                body = json.loads(metric.provider.body or "")
                hashes = {"candidate_hash": "c0ffee", "stable_hash": "5afe"}
                request = parse({**body, **hashes})
                # A replay's window only says where rows are looked for, the environment only names the report.
                assert set(type(request).model_fields) - set(body) <= {"window", "min_rows"}
                asked.add(body["check"])
    assert "replay" in asked or asked == {"inputs", "predictions"}


def test_the_committed_templates_are_the_ones_that_are_built(built: Built) -> None:
    assert set(templates_in(built)) == {path.stem.removeprefix("analysistemplate-") for path in TEMPLATES}
    assert set(templates_in(objects("".join("---\n" + path.read_text() for path in TEMPLATES)))) == set(
        templates_in(built)
    )
