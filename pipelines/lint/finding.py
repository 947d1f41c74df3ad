"""What the linter says: a finding, the rule behind it, and what a rule's check may know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipelines.lint.manifests import Manifests
from pipelines.lint.node import Node


class Severity(StrEnum):
    """Error: a gate fails open, or the controller refuses it. Warning: it closes or waits where it should not, or lets
    through in a case that is likely. Note: worth knowing; never the reason for an exit code but on request."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One place where a rule applies.

    Attributes:
        file: as it was given.
        node: where; its line is shown.
        subject: kind, name and, within a template, the metric.
        message: what is so, with the values.
        severity: only where it differs from the rule's.
    """

    file: str
    node: Node
    subject: str
    message: str
    severity: Severity | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A way to fail open.

    Attributes:
        number: ML and three digits, never given twice.
        name: three or four words.
        severity: what a hit is unless it says otherwise.
        reason: one line: why it matters.
        remedy: one line: what to write instead.
        explain: what Rollouts does, where that stands, and what is *not* reported.
        check: finds the hits.
    """

    number: str
    name: str
    severity: Severity
    reason: str
    remedy: str
    explain: str
    check: Callable[[Manifests], Iterator[Hit]]


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """What is shown: one hit of one rule."""

    file: str
    line: int
    rule: str
    severity: Severity
    subject: str
    message: str
    remedy: str
