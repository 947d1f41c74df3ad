"""Comments and annotations by which somebody answers for a finding: `# mainline-lint: ignore ML003 because <reason>`.

A comment on a line of its own covers the next line and what is nested under it; one behind a value covers that line and
what is nested under it; one before the first line of a document covers the document. Kustomize drops comments, so an
object may carry the same as an annotation, one line for each: `mainline.dev/lint-ignore: ML003 because <reason>`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.lint.finding import Finding, Severity
from pipelines.lint.objects import Manifest

ANNOTATION = "mainline.dev/lint-ignore"
WITHOUT_REASON, NEEDLESS = "ML090", "ML091"
_COMMENT = re.compile(r"#\s*mainline-lint:\s*ignore\b(.*)$")
_BODY = re.compile(r"\s*(ML\d{3}(?:\s*,\s*ML\d{3})*)\s*(?:because\s+(.*\S))?\s*$")


@dataclass(frozen=True, kw_only=True)
class Ignore:
    """What one comment or annotation asks for; `first` to `last` are the lines that it covers.

    `rules` is empty where it names none, `reason` where it gives none.
    """

    file: str
    line: int
    first: int
    last: int
    rules: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding, rule: str) -> bool:
        return finding.rule == rule and finding.file == self.file and self.first <= finding.line <= self.last


def in_comments(file: str, text: str) -> Iterator[Ignore]:
    """The ignores in a file's comments."""
    if "mainline-lint" not in text:
        return
    lines = text.splitlines()
    for index, line in enumerate(lines):
        found = _COMMENT.search(line)
        if found is None:
            continue
        first, last = _reach(lines, index, own_line=line.lstrip().startswith("#"))
        rules, reason = _read(found.group(1))
        yield Ignore(file=file, line=index + 1, first=first + 1, last=last + 1, rules=rules, reason=reason)


def in_annotations(objects: Sequence[Manifest]) -> Iterator[Ignore]:
    """The ignores in the objects' annotations; each covers its object."""
    for index, each in enumerate(objects):
        node = each.node.at("metadata", "annotations", ANNOTATION)
        following = [other.node.line for other in objects[index + 1 :] if other.file == each.file]
        for line in node.text.splitlines():
            if line.strip():
                rules, reason = _read(line)
                yield Ignore(
                    file=each.file,
                    line=node.line,
                    first=each.node.line,
                    last=min(following, default=10**9) - 1,
                    rules=rules,
                    reason=reason,
                )


def apply(findings: Sequence[Finding], ignores: Sequence[Ignore]) -> list[Finding]:
    """The findings that nobody answers for, and one for each ignore without a reason or without use."""
    kept = list(findings)
    for ignore in ignores:
        if not ignore.rules or not ignore.reason:
            kept.append(_without_reason(ignore))
            continue
        for rule in ignore.rules:
            if not any(ignore.covers(finding, rule) for finding in findings):
                kept.append(_needless(ignore, rule))
            kept = [finding for finding in kept if not ignore.covers(finding, rule)]
    return kept


def _without_reason(ignore: Ignore) -> Finding:
    missing = "gives no reason" if ignore.rules else "names no rule"
    return Finding(
        file=ignore.file,
        line=ignore.line,
        rule=WITHOUT_REASON,
        severity=Severity.WARNING,
        subject="ignore",
        message=f"the ignore {missing} and is not followed",
        remedy="# mainline-lint: ignore ML003 because <who answers for it, and why>",
    )


def _needless(ignore: Ignore, rule: str) -> Finding:
    return Finding(
        file=ignore.file,
        line=ignore.line,
        rule=NEEDLESS,
        severity=Severity.WARNING,
        subject="ignore",
        message=f"nothing here is a case of {rule}",
        remedy="take the ignore away, or put it on the line that it is meant for",
    )


def _read(body: str) -> tuple[tuple[str, ...], str]:
    found = _BODY.match(body)
    if found is None:
        return (), ""
    return tuple(re.findall(r"ML\d{3}", found.group(1))), found.group(2) or ""


def _reach(lines: Sequence[str], index: int, *, own_line: bool) -> tuple[int, int]:
    """The first and last line, from 0, that a comment covers."""
    end = next((i for i in range(index + 1, len(lines)) if lines[i].startswith("---")), len(lines)) - 1
    if not own_line:
        return index, _block(lines, index, end)
    start = next((i for i in range(index, -1, -1) if lines[i].startswith("---")), -1)
    if not any(map(_content, lines[start + 1 : index])):
        return index, end
    target = next((i for i in range(index + 1, end + 1) if _content(lines[i])), index)
    return target, _block(lines, target, end)


def _block(lines: Sequence[str], first: int, end: int) -> int:
    depth, item = _indent(lines[first]), lines[first].lstrip().startswith("- ")
    last = first
    for i in range(first + 1, end + 1):
        if not _content(lines[i]):
            continue
        level = _indent(lines[i])
        under = level == depth and not item and lines[i].lstrip().startswith("- ")
        if level <= depth and not under:
            break
        last = i
    return last


def _content(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#") and not stripped.startswith("---")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
