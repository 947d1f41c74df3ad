"""The queries of the AnalysisTemplates, asked of promtool, and the verdicts of their own conditions on its answers."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.build import build_overlay, objects
from pipelines.rehearsal.expression import evaluate
from pipelines.rehearsal.metric import Metric, Prometheus
from pipelines.rehearsal.template import resolve, templates_in
from pipelines.tools import ROOT, kustomize, promtool
from pipelines.versions import ToolMissing
from tests.promql.cases import FAIL, NOTHING, PASS, Case, cases
from tests.promql.promtool import Question, answers
from tests.promql.series import CANARY, STABLE

CASES = list(cases())


@pytest.fixture(scope="module")
def metrics() -> Mapping[str, Metric]:
    """The Prometheus metrics of a built overlay, by name, with their arguments resolved as Argo does."""
    try:
        kustomize(ROOT)
    except ToolMissing as err:
        pytest.skip(str(err))
    templates = templates_in(objects(build_overlay(ROOT, "production", "iris")))
    given = {"canary-hash": CANARY, "stable-hash": STABLE, "compare": "same"}
    resolved = resolve(list(templates), templates, given)
    return {metric.name: metric for metric in resolved if isinstance(metric.provider, Prometheus)}


@pytest.fixture(scope="module")
def answered(
    metrics: Mapping[str, Metric], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[tuple[str, str], list[float]]:
    """promtool's answer to each case, in one call."""
    try:
        command = promtool(ROOT)
    except ToolMissing as err:
        pytest.skip(str(err))
    questions = [Question(_query(metrics[case.metric]), case.series, case.at_seconds) for case in CASES]
    folder: Path = tmp_path_factory.mktemp("promtool")
    got = answers(command, folder, questions)
    return {(case.metric, case.name): values for case, values in zip(CASES, got, strict=True)}


def _query(metric: Metric) -> str:
    assert isinstance(metric.provider, Prometheus)
    return metric.provider.query


def verdict(metric: Metric, values: list[float]) -> str:
    """What Argo Rollouts makes of a measurement: neither condition is inconclusive."""
    success, failure = evaluate(metric.success_condition, values), evaluate(metric.failure_condition, values)
    assert not (success and failure), f"{metric.name}: both conditions hold for {values}"
    return PASS if success else FAIL if failure else NOTHING


@pytest.mark.parametrize("case", CASES, ids=[f"{case.metric}: {case.name}" for case in CASES])
def test_a_gate_says(
    case: Case, metrics: Mapping[str, Metric], answered: Mapping[tuple[str, str], list[float]]
) -> None:
    values = answered[case.metric, case.name]
    assert verdict(metrics[case.metric], values) == case.verdict, f"promtool says {values}"
    if case.value is not None:
        assert values == [pytest.approx(case.value, rel=0.03, abs=1e-9)]


def test_every_prometheus_metric_has_its_cases(metrics: Mapping[str, Metric]) -> None:
    told: dict[str, set[str]] = {}
    for case in CASES:
        told.setdefault(case.metric, set()).add(case.name)
    assert set(told) == set(metrics)
    for metric, names in told.items():
        assert {"good", "no data", "only the other pods", "two minutes without a scrape"} <= names, metric
        assert any("reset" in name for name in names) or metric.startswith("restart")


def test_nan_infinity_and_nothing_are_no_pass(metrics: Mapping[str, Metric]) -> None:
    for metric in metrics.values():
        assert verdict(metric, []) == NOTHING
        assert verdict(metric, [math.nan]) == NOTHING
        if not metric.name.startswith("enough-"):
            assert verdict(metric, [math.inf]) == FAIL
