"""Values that are something else than the resource definitions ask for are never passed over in silence."""

from pathlib import Path

import pytest

from pipelines.lint.judge import judge

GOOD = (Path(__file__).parent / "fixtures" / "ML036-good.yaml").read_text(encoding="utf-8")
TEMPLATE, ROLLOUT = GOOD.split("---\n")


def template(spec: str) -> str:
    return f"kind: AnalysisTemplate\nmetadata: {{name: x}}\nspec: {spec}\n"


def canary(strategy: str) -> str:
    return f"kind: Rollout\nmetadata: {{name: x}}\nspec: {{strategy: {{canary: {strategy}}}}}\n"


NONSENSE = {
    template("3"): "spec is 3, it must be a mapping",
    template("[a]"): "spec is a list, it must be a mapping",
    template("{metrics: {a: b}}"): "spec.metrics is a mapping, it must be a list",
    template("{metrics: x}"): "spec.metrics is 'x', it must be a list",
    template("{metrics: [3]}"): "spec.metrics[0] is 3, it must be a mapping",
    template("{metrics: [null]}"): "spec.metrics[0] is empty",
    template("{metrics: []}"): "no metric and no template: it judges nothing",
    template("{metrics: [{provider: x}]}"): "spec.metrics[0].provider is 'x', it must be a mapping",
    template("{metrics: [{provider: {web: x}}]}"): "spec.metrics[0].provider.web is 'x', it must be a mapping",
    template(
        "{metrics: [{count: many}]}"
    ): "spec.metrics[0].count is 'many', it must be a whole number, or one as text",
    template("{metrics: [{failureLimit: 1.5}]}"): "spec.metrics[0].failureLimit is 1.5, it must be a whole number, or",
    template("{metrics: [{successCondition: true}]}"): "spec.metrics[0].successCondition is true, it must be a text",
    template("{metrics: [{successCondition: [a]}]}"): "spec.metrics[0].successCondition is a list, it must be a text",
    template("{args: x, metrics: [{}]}"): "spec.args is 'x', it must be a list",
    template("{templates: x}"): "spec.templates is 'x', it must be a list",
    canary("x"): "spec.strategy.canary is 'x', it must be a mapping",
    canary("{steps: x}"): "spec.strategy.canary.steps is 'x', it must be a list",
    canary(
        "{steps: [{setWeight: foo}]}"
    ): "spec.strategy.canary.steps[0].setWeight is 'foo', it must be a whole number",
    canary("{steps: [{setWeight: -1}]}"): "steps[0].setWeight is -1, it must be a whole number from 0 up",
    canary("{steps: [{pause: 5m}]}"): "steps[0].pause is '5m', it must be a mapping",
    canary(
        "{steps: [{pause: {duration: soon}}]}"
    ): "pause.duration is 'soon', it must be seconds, or a duration like 5m",
    canary("{steps: [{analysis: x}]}"): "steps[0].analysis is 'x', it must be a mapping",
    canary("{steps: [{analysis: {templates: x}}]}"): "steps[0].analysis.templates is 'x', it must be a list",
    canary("{steps: [{analysis: {templates: [x]}}]}"): "analysis.templates[0] is 'x', it must be a mapping",
    canary("{steps: [{analysis: {}}]}"): "steps[0].analysis names no template",
    canary("{steps: [{analysis: }]}"): "steps[0].analysis names no template",
    canary("{analysis: {}}"): "spec.strategy.canary.analysis names no template",
    canary(
        "{analysis: {args: {a: b}, templates: [{templateName: x}]}}"
    ): "analysis.args is a mapping, it must be a list",
    "kind: Rollout\nmetadata: {name: x}\nspec: {strategy: Recreate}\n": "spec.strategy is 'Recreate', it must be a map",
    "kind: Experiment\nmetadata: {name: x}\nspec: {analyses: x}\n": "spec.analyses is 'x', it must be a list",
}


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_an_error_that_names_place_and_value(text: str) -> None:
    found = [each.message for each in judge({"x.yaml": text}).findings if each.rule == "ML036"]
    assert any(NONSENSE[text] in message for message in found)


PATCHES = {
    "replicas": "kind: Rollout\nmetadata: {name: x}\nspec: {replicas: 3}\n",
    "an argument": template("{args: [{name: a, value: b}]}"),
    "numbers as text": template('{metrics: [{count: "3", failureLimit: "{{args.x}}"}], args: [{name: x}]}'),
    "a pause without end": canary("{steps: [{pause: {}}, {pause: {duration: 30}}, {pause: {duration: 1h}}]}"),
    "a part that is taken away": canary("null"),
}


@pytest.mark.parametrize("name", PATCHES)
def test_part_of_an_object_is_let_through(name: str) -> None:
    assert "ML036" not in [each.rule for each in judge({"x.yaml": PATCHES[name]}).findings]


def test_object_without_a_spec_is_a_note_among_files_and_an_error_in_an_overlay() -> None:
    text = "kind: AnalysisTemplate\nmetadata: {name: x}\n"
    severities = [judge({"x": text}, complete=complete).findings[0].severity for complete in (False, True)]
    assert severities == ["note", "error"]


def test_value_that_a_component_fills_is_an_error_only_in_an_overlay() -> None:
    text = canary("{steps: [{pause: {duration: unset}}]}")
    found = [judge({"x": text}, complete=complete).findings for complete in (False, True)]
    assert [[each.rule for each in findings] for findings in found] == [[], ["ML036"]]
