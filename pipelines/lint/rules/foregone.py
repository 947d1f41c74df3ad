"""Rule on verdicts that stand before anything was measured. The conditions are asked about all kinds of answers."""

import math
from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.objects import Metric
from pipelines.lint.rules.limits import hit
from pipelines.lint.verdicts import CONDITIONS, OWN_JUDGES, Outcome, decide, misfits, query
from pipelines.lint.words import mentioned, unforeseen

_NUMBERS = (0.0, 0.5, 1.0, 1e12, -1e12, math.nan)
_OTHERS: tuple[object, ...] = ("", "fail", "error", "no-such-answer", None, True, False, (), {})


def _passes_anything(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        given = [key for key in CONDITIONS if metric.node.at(key).text]
        if metric.provider in OWN_JUDGES or not given or misfits(metric):
            continue
        if _always(metric):
            yield hit(metric, given[0], "every answer is Successful: any number, NaN, and none at all")
            continue
        passed = _passed(metric)
        if passed:
            yield hit(metric, given[0], f"{', '.join(passed)}: Successful, for it is not among the words that fail")


def _always(metric: Metric) -> bool:
    outcomes = {decide(metric, answer) for answer in _answers(metric)}
    # In words, in numbers, in lists: a condition fits some of them.
    return outcomes - {Outcome.ERROR} == {Outcome.SUCCESSFUL}


def _answers(metric: Metric) -> list[object]:
    found = query(metric)
    if metric.provider == "prometheus" and not (found is not None and found.scalar):
        return [(), *((number,) * 10 for number in _NUMBERS)]
    return list(_NUMBERS) if metric.provider == "prometheus" else [*_NUMBERS, *_OTHERS]


def _passed(metric: Metric) -> list[str]:
    """The answers that nobody thought of and that pass, where the answers are words."""
    if metric.provider in ("prometheus", "datadog") or not mentioned(metric):
        return []
    return [name for name, answer in unforeseen(metric) if decide(metric, answer) is Outcome.SUCCESSFUL]


RULES = (
    Rule(
        number="ML035",
        name="anything passes",
        severity=Severity.ERROR,
        reason="A gate opens for what is known to be good; one that opens for all that is not known to be bad is open.",
        remedy='name what passes and what fails: success result == "pass", failure result == "fail"',
        explain="""\
The conditions are evaluated on numbers from -1e12 to 1e12, on NaN, on no data and, where the answer may be one, on
words: reported where all of them are Successful (`"true"`, `len(result) >= 0`). Where conditions compare words, they
are evaluated on words that they do not mention (inconclusive, error, unknown) and on an answer without the field:
`result != "fail"` passes a judge that could not say, and so does a failureCondition `result == "fail"` alone
(utils/evaluate/evaluate.go: what is no failure is a success). Not reported: job, kayenta and plugin.""",
        check=_passes_anything,
    ),
)
