"""All rules, by number. A number is never given twice: ignores, SARIF and people speak of rules by it."""

from pipelines.lint.finding import Rule
from pipelines.lint.rules import (
    blue_green,
    conditions,
    empty,
    foregone,
    jobs,
    limits,
    pods,
    queries,
    references,
    schema,
    sides,
    steps,
    structure,
    unread,
)

_GROUPS = (
    limits,
    conditions,
    empty,
    queries,
    steps,
    blue_green,
    jobs,
    references,
    pods,
    schema,
    sides,
    foregone,
    structure,
    unread,
)
RULES: tuple[Rule, ...] = tuple(
    sorted((rule for group in _GROUPS for rule in group.RULES), key=lambda rule: rule.number)
)
