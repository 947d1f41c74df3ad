"""An analysis run keeps its books as Argo Rollouts 1.10 does, and asks when it would."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ConfigError
from pipelines.rehearsal.analysis import AnalysisRun, judged
from pipelines.rehearsal.contract import Measured, Phase
from pipelines.rehearsal.metric import Metric, Prometheus
from pipelines.rehearsal.template import resolve

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text())
PROMETHEUS = {"prometheus": {"address": "http://prometheus", "query": "up"}}
WEB = {"web": {"url": "http://judge"}}


def _metrics(case: dict[str, Any]) -> tuple[Metric, ...]:
    metrics = []
    for each in case["metrics"]:
        fields = {key: value for key, value in each.items() if key != "of"}
        metrics.append({**fields, "provider": WEB if each["of"] == "json" else PROMETHEUS})
    spec = {"metrics": metrics, "args": case.get("args", []), "dryRun": case.get("dryRun", [])}
    template = {"kind": "AnalysisTemplate", "metadata": {"name": "case"}, "spec": spec}
    return resolve(["case"], {"case": template}, case.get("arguments", {}))


def _measured(answer: Any) -> Measured:
    if isinstance(answer, dict) and "error" in answer:
        return Measured(error=answer["error"])
    if isinstance(answer, dict) and "text" in answer:
        return Measured(value=answer["text"], unread=True)
    return Measured(value=answer)


def _played(case: dict[str, Any]) -> AnalysisRun:
    run, now = AnalysisRun(_metrics(case), 0.0), 0.0
    answers = {name: iter(values) for name, values in case["answers"].items()}
    end = case.get("terminate", float("inf"))
    while not run.phase.completed:
        for metric in run.due(now):
            answer = next(answers[metric.name], StopIteration)
            if answer is StopIteration:
                return run
            run.record(metric.name, _measured(answer), now)
        if not run.assess().completed:
            at = run.next_due()
            assert at is not None
            if at > end:
                run.terminate()
            now = at
    return run


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_case(case: dict[str, Any]) -> None:
    if "refused" in case:
        with pytest.raises(ConfigError) as raised:
            _played(case)
        assert case["refused"] in str(raised.value)
        return
    run = _played(case)
    seen = {name: result for name, result in run.results.items() if result.measurements}
    assert {name: [each.phase for each in result.measurements] for name, result in seen.items()} == case["phases"]
    assert run.phase == case["run"]
    if "message" in case:
        assert run.message == case["message"]
    for name, phase in case.get("ends", {}).items():
        assert run.results[name].phase == phase
    for name, times in case.get("times", {}).items():
        assert [each.time for each in run.results[name].measurements] == times


def _metric(**fields: Any) -> Metric:
    return Metric(name="m", template="t", provider=Prometheus(address="http://prometheus", query="up"), **fields)


@given(
    st.lists(st.sampled_from([0.1, 0.9, None]), min_size=1, max_size=30),
    st.integers(1, 8),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_every_bounded_metric_ends_and_no_verdict_changes(
    answers: list[float | None], count: int, failures: int, successes: int
) -> None:
    metric = _metric(
        success_condition="result <= 0.5",
        interval=5.0,
        count=count,
        failure_limit=failures,
        consecutive_success_limit=successes,
    )
    run, now = AnalysisRun([metric], 0.0), 0.0
    for answer in [*answers, *[0.1] * 40]:
        run.record("m", Measured(value=answer) if answer is not None else Measured(error="away"), now)
        if run.assess().completed:
            break
        at = run.next_due()
        assert at is not None
        assert at > now
        now = at
    ended = run.phase
    assert ended.completed
    assert run.terminate() is ended
    failed = sum(each.phase is Phase.FAILED for each in run.results["m"].measurements)
    assert (ended is Phase.FAILED) == (failed > failures)
    assert run.due(now + 1000) == []


def test_a_list_of_a_prometheus_metric_is_a_vector() -> None:
    metric = _metric(success_condition="result[0] == 'up'")
    assert judged(metric, Measured(value=["up"]), 0.0).phase is Phase.ERROR
    assert judged(metric, Measured(value=[1.0]), 0.0).phase is Phase.ERROR
