"""A Rollout is walked as Argo Rollouts 1.10 walks it: weights, gates, pauses and endings."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.errors import ConfigError
from pipelines.rehearsal.contract import Ending, Event, Measured, Split
from pipelines.rehearsal.machine import run
from pipelines.rehearsal.metric import Metric

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("rollouts.yaml").read_text())[1:]
BASE = {"template": {"metadata": {"annotations": {"mainline.dev/version": "2"}}}, "selector": {}}


@dataclass
class ScriptedWorld:
    """Answers by the table, on a clock of its own."""

    answers: dict[str, list[Any]]
    ready_after: float
    time: float = 1000.0
    changed: float = 0.0
    splits: list[Split] = field(default_factory=list)
    waits: int = 0
    _given: dict[str, Iterator[Any]] = field(default_factory=dict)

    def now(self) -> float:
        return self.time

    def wait(self, until: float) -> None:
        self.waits += 1
        self.time = max(self.time, until)

    def measure(self, metric: Metric) -> Measured:
        given = self._given.setdefault(metric.name, iter(self.answers[metric.name]))
        answer = next(given, self.answers[metric.name][-1])
        if isinstance(answer, dict):
            return Measured(error=answer["error"])
        return Measured(value=answer)

    def split(self, split: Split) -> None:
        before = self.splits[-1].candidate_pods if self.splits else 0
        self.changed = self.time if split.candidate_pods > before else self.changed
        self.splits.append(split)

    def available(self, revision: str) -> bool:
        return self.time >= self.changed + self.ready_after


def _templates(case: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, template in copy.deepcopy(case.get("templates", {})).items():
        for metric in template["metrics"]:
            web = metric.pop("of") == "json"
            metric["provider"] = {"web": {"url": "http://j"}} if web else {"prometheus": {"address": "p", "query": "q"}}
        found[name] = {"metadata": {"name": name}, "spec": template}
    return found


def _world(case: dict[str, Any]) -> ScriptedWorld:
    ready = case.get("ready", 5)
    return ScriptedWorld(case.get("answers", {}), float("inf") if ready == "never" else ready)


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_case(case: dict[str, Any]) -> None:
    world, rollout = _world(case), {"metadata": {"name": "serving"}, "spec": {**BASE, **case["spec"]}}
    if "refused" in case:
        with pytest.raises(ConfigError) as raised:
            run(rollout, _templates(case), world)
        assert case["refused"] in str(raised.value)
        assert world.splits == []
        return
    seen: list[Event] = []
    outcome = run(rollout, _templates(case), world, restores=case.get("restores", False), on_event=seen.append)
    assert outcome.ending == case["ending"], outcome.reason
    assert case.get("reason", "") in outcome.reason
    for name in ("gate", "template", "step", "message", "verdicts"):
        if name in case:
            assert getattr(outcome, name) == case[name], name
    if "share" in case:
        assert outcome.share == case["share"] / 100
        assert world.splits[-1].share == outcome.share
    if "seconds" in case:
        assert outcome.seconds == case["seconds"]
    if "splits" in case:
        found = [[each.candidate_pods, each.stable_pods, round(each.share * 100, 1)] for each in world.splits]
        assert found == case["splits"]
    assert list(outcome.events) == seen
    assert seen[-1].kind == "end"


def test_the_same_pod_template_rolls_out_nothing() -> None:
    rollout = {"spec": {**BASE, "strategy": {"canary": {}}}}
    world = ScriptedWorld({}, 0.0)
    outcome = run(rollout, {}, world, stable={"spec": {**BASE, "strategy": {"blueGreen": {}}}})
    assert outcome.ending is Ending.UNCHANGED
    assert world.splits == []


def test_arguments_come_from_the_rollout_and_overrides_win() -> None:
    arguments: list[dict[str, Any]] = [
        {"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
        {"name": "stable-hash", "valueFrom": {"podTemplateHashValue": "Stable"}},
        {"name": "model", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['mainline.dev/model']"}}},
        {"name": "replicas", "valueFrom": {"fieldRef": {"fieldPath": "spec.replicas"}}},
        {"name": "address", "value": "http://prometheus:9090"},
    ]
    names = [each["name"] for each in arguments]
    query = " ".join("{{args." + name + "}}" for name in names)
    metric = {"name": "m", "provider": {"prometheus": {"address": "{{args.address}}", "query": query}}}
    template = {"metadata": {"name": "t"}, "spec": {"args": [{"name": n} for n in names], "metrics": [metric]}}
    steps = [{"analysis": {"templates": [{"templateName": "t"}], "args": arguments}}]
    rollout = {
        "metadata": {"labels": {"mainline.dev/model": "iris"}},
        "spec": {**BASE, "replicas": 3, "strategy": {"canary": {"steps": steps}}},
    }

    class Asked(ScriptedWorld):
        def measure(self, metric: Metric) -> Measured:
            asked.append(metric)
            return Measured(value=(1.0,))

    asked: list[Metric] = []
    run(
        rollout,
        {"t": template},
        Asked({}, 0.0),
        candidate_hash="abc",
        stable_hash="def",
        overrides={"address": "http://127.0.0.1:1", "unknown": "x"},
    )
    assert asked[0].provider.query == "abc def iris 3 http://127.0.0.1:1"  # type: ignore[union-attr]
    assert asked[0].provider.address == "http://127.0.0.1:1"  # type: ignore[union-attr]


def test_a_rollout_without_replicas_takes_the_autoscalers() -> None:
    world = ScriptedWorld({}, 0.0)
    run({"spec": {**BASE, "strategy": {"canary": {}}}}, {}, world, replicas=5)
    assert world.splits[-1].candidate_pods == 5


def test_a_clock_of_its_own_is_woken_only_when_something_is_due() -> None:
    case = CASES[0]
    world = _world(case)
    run({"spec": {**BASE, **case["spec"]}}, _templates(case), world)
    assert world.waits < 60
