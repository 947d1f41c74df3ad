"""What is printed: for a person, a script, code scanning and a pull request."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.lint.catalogue import RULES
from pipelines.lint.finding import Finding, Severity
from pipelines.lint.formats import as_json, github, sarif, summary, text
from pipelines.lint.judge import Report, judge

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = ("ML001-bad.yaml", "ML012-bad.yaml", "ML027-bad.yaml", "ML090-bad.yaml")


@pytest.fixture(scope="module")
def report() -> Report:
    return judge({name: (FIXTURES / name).read_text(encoding="utf-8") for name in NAMES})


def test_text_names_place_rule_value_and_remedy_and_ends_with_the_summary(report: Report) -> None:
    lines = text(report).splitlines()
    assert lines[0] == (
        "ML001-bad.yaml:13: error ML001 every failure is tolerated: failureLimit 4 of 4 measurements: all may fail"
    )
    assert lines[1].endswith("write: failureLimit: 0, or at least below count")
    assert lines[-1] == summary(report) == "1 error, 3 warnings in 5 objects in 4 files"


def test_summary_counts_what_was_left_out() -> None:
    helm = "kind: Rollout\nmetadata:\n  name: {{ .Values.name }}\n"
    broken = "kind: Service\nmetadata: [\n"
    said = summary(judge({"a.yaml": helm, "b.yaml": broken}))
    assert said == "no finding in 0 objects in 2 files; 1 templated document left out; 1 unreadable document left out"


def test_json_holds_every_finding_with_its_fields(report: Report) -> None:
    document = json.loads(as_json(report))
    assert len(document["findings"]) == len(report.findings)
    assert set(document["findings"][0]) == {
        "file", "line", "rule", "name", "severity", "subject", "message", "remedy",
    }  # fmt: skip
    assert (document["files"], document["objects"]) == (4, 5)


def test_sarif_is_a_run_whose_results_point_at_described_rules(report: Report) -> None:
    document: dict[str, Any] = json.loads(sarif(report))
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-2.1.0.json")
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(rules) == len(RULES) + 2
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(run["results"]) == len(report.findings)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] in NAMES
        assert place["region"]["startLine"] >= 1


def test_github_annotations_are_one_line_each_and_escaped() -> None:
    finding = Finding(
        file="a,b:c.yaml",
        line=3,
        rule="ML001",
        severity=Severity.NOTE,
        subject="X",
        message="100 %\nof all",
        remedy="less",
    )
    line = github(Report(findings=[finding])).splitlines()[0]
    assert line == (
        "::notice file=a%2Cb%3Ac.yaml,line=3,title=ML001 every failure is tolerated::X: 100 %25%0Aof all; less"
    )
