"""Values, rules and verdicts of gates as a person reads them. The live view, the report and the summary speak alike."""

import math
import re

from pipelines.rehearsal.contract import Phase
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.words import rule as said
from pipelines.rehearsal.words import shown

_VERDICTS = {
    Phase.SUCCESSFUL: "pass",
    Phase.FAILED: "fail",
    Phase.INCONCLUSIVE: "inconclusive",
    Phase.ERROR: "error",
}
_LONGEST = 60
_MANY = 100_000


def verdict(phase: Phase | None) -> str:
    """pass, fail, inconclusive or error; `no verdict` of what was not finished."""
    return _VERDICTS.get(phase, "no verdict") if phase is not None else "no verdict"


def value(measured: object) -> str:
    """A measured value; large numbers as people write them, `151,800,000`."""
    alone = measured[0] if isinstance(measured, tuple | list) and len(measured) == 1 else measured
    if isinstance(alone, int | float) and not isinstance(alone, bool) and _MANY <= abs(alone) < math.inf:
        return f"{alone:,.0f}"
    return shown(measured)


def rule(metric: Metric) -> str:
    """What the value must be, such as `at most 0.005`."""
    text = said(metric.success_condition, metric.failure_condition)
    text = re.sub(r"\b\d{6,}\b", lambda digits: f"{int(digits[0]):,}", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
