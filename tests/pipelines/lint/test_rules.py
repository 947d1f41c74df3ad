"""Each rule on a specimen of its own: the bad one is found by it alone, the good one by none."""

from pathlib import Path

import pytest

from pipelines.lint.catalogue import RULES
from pipelines.lint.finding import Rule, Severity
from pipelines.lint.formats import explain
from pipelines.lint.judge import Report, judge

FIXTURES = Path(__file__).parent / "fixtures"
OF_IGNORES = {"ML090", "ML091"}
NUMBERS = sorted({path.name[:5] for path in FIXTURES.glob("*.yaml")})


def judged(name: str) -> Report:
    return judge({name: (FIXTURES / name).read_text(encoding="utf-8")})


def test_every_rule_has_a_bad_and_a_good_specimen() -> None:
    assert {rule.number for rule in RULES} | OF_IGNORES == set(NUMBERS)
    assert len({rule.number for rule in RULES}) == len(RULES)
    assert {path.name for path in FIXTURES.iterdir()} == {
        f"{number}-{kind}.yaml" for number in NUMBERS for kind in ("bad", "good")
    }


@pytest.mark.parametrize("number", NUMBERS)
def test_bad_specimen_is_found_by_its_rule(number: str) -> None:
    report = judged(f"{number}-bad.yaml")
    assert {finding.rule for finding in report.findings} == {number}
    assert not report.unreadable
    assert not report.templated


@pytest.mark.parametrize("number", NUMBERS)
def test_good_specimen_is_found_by_none(number: str) -> None:
    report = judged(f"{number}-good.yaml")
    assert report.findings == []
    assert report.objects
    assert not report.unreadable


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.number)
def test_rule_taken_away_finds_its_specimen_no_more(rule: Rule) -> None:
    rest = [each for each in RULES if each is not rule]
    name = f"{rule.number}-bad.yaml"
    assert judge({name: (FIXTURES / name).read_text(encoding="utf-8")}, rules=rest).findings == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.number)
def test_rule_says_what_why_and_what_instead(rule: Rule) -> None:
    said = explain(rule)
    assert rule.number in said
    assert rule.reason.endswith(".")
    assert "\n" not in rule.reason + rule.remedy
    assert rule.remedy
    assert len(rule.explain) > 80


PLACES = {
    "ML001": ("failureLimit: 4", "failureLimit 4 of 4"),
    "ML008": ("query: |", "NaN is Failed"),
    "ML010": ("query: |", "service='shop'"),
    "ML011": ("- analysis:", "0 s after the first weight"),
    "ML014": ("scaleDownDelaySeconds: 300", "up to 630 s"),
    "ML021": ("- name: max-ration", "max-ration"),
    "ML024": ("deployed-at", "deployed-at"),
}


@pytest.mark.parametrize("number", PLACES)
def test_finding_stands_at_its_line_and_names_the_value(number: str) -> None:
    (finding,) = judged(f"{number}-bad.yaml").findings
    line, words = PLACES[number]
    text = (FIXTURES / f"{number}-bad.yaml").read_text(encoding="utf-8").splitlines()
    assert words in finding.message
    assert line in text[finding.line - 1]


def test_missing_template_is_an_error_only_where_all_is_seen() -> None:
    text = (
        (FIXTURES / "ML015-good.yaml")
        .read_text(encoding="utf-8")
        .replace("templateName: error-ratio", "templateName: x")
    )
    (among_files,) = judge({"rollout.yaml": text}).findings
    assert (among_files.rule, among_files.severity) == ("ML019", Severity.NOTE)
    assert "not found among the files read" in among_files.message
    (built,) = judge({"overlay": text}, complete=True).findings
    assert (built.rule, built.severity) == ("ML019", Severity.ERROR)


def test_misspelt_template_is_a_warning_with_the_name_that_is_there() -> None:
    text = (FIXTURES / "ML015-good.yaml").read_text(encoding="utf-8").replace("Name: error-ratio", "Name: eror-ratio")
    (finding,) = judge({"rollout.yaml": text}).findings
    assert (finding.rule, finding.severity) == ("ML019", Severity.WARNING)
    assert "did you mean error-ratio?" in finding.message


def test_templates_and_rollouts_find_each_other_across_files() -> None:
    template, rollout = (FIXTURES / "ML010-bad.yaml").read_text(encoding="utf-8").split("---\n")
    alone = judge({"template.yaml": template}).findings
    assert [(each.rule, each.severity) for each in alone] == [("ML010", Severity.NOTE)]
    together = judge({"a/template.yaml": template, "b/rollout.yaml": rollout}).findings
    assert [(each.rule, each.severity) for each in together] == [("ML010", Severity.ERROR)]


QUERY = "sum(increase(shop_requests_total{{{labels}}}[2m])) / (sum(increase(shop_requests_total{{{labels}}}[2m])) > 9)"
LEGITIMATE = {
    "hash of the new pods": ('rollouts_pod_template_hash="{{args.x}}"', "valueFrom: {podTemplateHashValue: Latest}"),
    "pods by regex": ('pod=~"shop-{{args.x}}-.+"', "valueFrom: {podTemplateHashValue: Latest}"),
    "the canary service of a mesh": ('destination_service_name="{{args.x}}"', "value: shop-canary"),
    "the Rollout's canaryService": ('service="{{args.x}}"', "value: shop-new"),
    "its full name": ('destination_service=~"{{args.x}}"', "value: shop-new.shop.svc.cluster.local"),
    "a label that says canary": ('service="shop",track="canary",x="{{args.x}}"', "value: y"),
    "the version of the pod template": (
        'version="{{args.x}}"',
        'valueFrom: {fieldRef: {fieldPath: "spec.template.metadata.labels.version"}}',
    ),
    "all but stable": ('service="shop",subset!="stable",x="{{args.x}}"', "value: y"),
}
CROWD = {
    "the shared service": ('service="{{args.x}}"', "value: shop"),
    "a namespace": ('namespace="{{args.x}}"', "valueFrom: {fieldRef: {fieldPath: metadata.namespace}}"),
    "the stable pods": ('rollouts_pod_template="{{args.x}}"', "valueFrom: {podTemplateHashValue: Stable}"),
}


def select(labels: str, argument: str) -> list[str]:
    text = (FIXTURES / "ML010-bad.yaml").read_text(encoding="utf-8")
    head, _, tail = text.partition("query: |\n")
    rest = tail[tail.index("---\n") :]
    query = QUERY.format(labels=labels)
    text = f"{head}query: |\n            {query}\n{rest}".replace("name: service", "name: x")
    text = text.replace("value: shop", argument).replace("canary:\n", "canary:\n      canaryService: shop-new\n", 1)
    return [each.rule for each in judge({"shop.yaml": text}).findings if each.rule not in ("ML020",)]


@pytest.mark.parametrize("name", LEGITIMATE)
def test_ways_to_select_the_canary_are_let_through(name: str) -> None:
    assert select(*LEGITIMATE[name]) == []


@pytest.mark.parametrize("name", CROWD)
def test_ways_to_select_everybody_are_found(name: str) -> None:
    assert select(*CROWD[name]) == ["ML010"]
