"""Findings as text, JSON, SARIF 2.1.0 or GitHub annotations."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import PurePath
from urllib.parse import quote

from pipelines.lint.catalogue import RULES
from pipelines.lint.finding import Finding, Rule, Severity
from pipelines.lint.ignores import NEEDLESS, WITHOUT_REASON
from pipelines.lint.judge import Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_NAMES = {rule.number: rule.name for rule in RULES} | {
    WITHOUT_REASON: "ignore without a reason",
    NEEDLESS: "ignore without use",
}


def text(report: Report) -> str:
    """For a person: two lines a finding, then the summary."""
    lines = []
    for each in report.findings:
        lines.append(f"{each.file}:{each.line}: {each.severity} {each.rule} {_NAMES[each.rule]}: {each.message}")
        lines.append(f"    {each.subject}; write: {each.remedy}")
    return "\n".join([*lines, summary(report)])


def summary(report: Report) -> str:
    """One line: how much was found, how much was read, how much could not be."""
    counts = Counter(each.severity for each in report.findings)
    found = ", ".join(_count(counts[severity], severity.value) for severity in Severity if counts[severity])
    read = f"{_count(report.objects, 'object')} in {_count(report.files, 'file')}"
    left = [
        f"{_count(len(each), what)} left out"
        for each, what in ((report.templated, "templated document"), (report.unreadable, "unreadable document"))
        if each
    ]
    return "; ".join([f"{found or 'no finding'} in {read}", *left])


def as_json(report: Report) -> str:
    """One document for a script."""
    document = {
        "findings": [
            {
                "file": each.file,
                "line": each.line,
                "rule": each.rule,
                "name": _NAMES[each.rule],
                "severity": each.severity.value,
                "subject": each.subject,
                "message": each.message,
                "remedy": each.remedy,
            }
            for each in report.findings
        ],
        "files": report.files,
        "objects": report.objects,
        "templated": report.templated,
        "unreadable": report.unreadable,
    }
    return json.dumps(document, indent=2)


def github(report: Report) -> str:
    """Workflow commands: GitHub shows each beside its line."""
    lines = []
    for each in report.findings:
        title = _property(f"{each.rule} {_NAMES[each.rule]}")
        place = f"file={_property(each.file)},line={each.line},title={title}"
        lines.append(f"::{_GITHUB[each.severity]} {place}::{_data(f'{each.subject}: {each.message}; {each.remedy}')}")
    return "\n".join([*lines, summary(report)])


def sarif(report: Report) -> str:
    """SARIF 2.1.0, as code scanning takes it."""
    index = {rule.number: place for place, rule in enumerate(RULES)}
    index |= {WITHOUT_REASON: len(RULES), NEEDLESS: len(RULES) + 1}
    own = [_described(number, _NAMES[number]) for number in (WITHOUT_REASON, NEEDLESS)]
    driver = {"name": "mainline lint", "rules": [*map(_rule, RULES), *own]}
    results = [_result(each, index) for each in report.findings]
    return json.dumps(
        {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}, indent=2
    )


FORMATS: Mapping[str, Callable[[Report], str]] = {"text": text, "json": as_json, "sarif": sarif, "github": github}


def explain(rule: Rule) -> str:
    """What `--explain` prints."""
    return (
        f"{rule.number} {rule.name} ({rule.severity})\n\n{rule.reason}\nInstead: {rule.remedy}\n\n{rule.explain}\n\n"
        f"To answer for one: # mainline-lint: ignore {rule.number} because <reason>"
    )


def _result(each: Finding, index: Mapping[str, int]) -> dict[str, object]:
    place = {
        "artifactLocation": {"uri": quote(PurePath(each.file).as_posix())},
        "region": {"startLine": max(each.line, 1)},
    }
    return {
        "ruleId": each.rule,
        "ruleIndex": index[each.rule],
        "level": each.severity.value,
        "message": {"text": f"{each.subject}: {each.message}. Write: {each.remedy}"},
        "locations": [{"physicalLocation": place}],
    }


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.number,
        "name": rule.name,
        "shortDescription": {"text": rule.reason},
        "fullDescription": {"text": rule.explain},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _described(number: str, name: str) -> dict[str, object]:
    return {"id": number, "name": name, "shortDescription": {"text": name}}


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
