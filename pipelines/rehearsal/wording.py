"""Values, rules and verdicts of gates as a person reads them. The live view, the report and the summary speak alike."""

from pipelines.rehearsal.contract import Phase
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.words import rule as said

_VERDICTS = {
    Phase.SUCCESSFUL: "pass",
    Phase.FAILED: "fail",
    Phase.INCONCLUSIVE: "inconclusive",
    Phase.ERROR: "error",
}
_LONGEST = 60


def verdict(phase: Phase | None) -> str:
    """pass, fail, inconclusive or error; `no verdict` of what was not finished."""
    return _VERDICTS.get(phase, "no verdict") if phase is not None else "no verdict"


def rule(metric: Metric) -> str:
    """What the value must be, such as `at most 0.005`."""
    text = said(metric.success_condition, metric.failure_condition)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
