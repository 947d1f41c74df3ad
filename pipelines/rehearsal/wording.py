"""Values, rules and verdicts of gates as a person reads them. The live view, the report and the summary speak alike."""

import math
import re
from collections.abc import Mapping, Sequence

from pipelines.rehearsal.contract import Phase
from pipelines.rehearsal.metric import Metric
from pipelines.report_page.charts import number

_VERDICTS = {
    Phase.SUCCESSFUL: "pass",
    Phase.FAILED: "fail",
    Phase.INCONCLUSIVE: "inconclusive",
    Phase.ERROR: "error",
}
# What keeps a condition from being asked about nothing; a reader knows without it.
_GUARD = re.compile(r"len\(result\)|is(?:NaN|Inf|Nil)\(")
_LONGEST = 60


def verdict(phase: Phase | None) -> str:
    """pass, fail, inconclusive or error; `no verdict` of what was not finished."""
    return _VERDICTS.get(phase, "no verdict") if phase is not None else "no verdict"


def value(measured: object) -> str:
    """A measured value: the number of a vector of one, `no data` of an empty one."""
    if isinstance(measured, Sequence) and not isinstance(measured, str):
        if not measured:
            return "no data"
        return ", ".join(value(each) for each in measured[:3]) + (", …" if len(measured) > 3 else "")
    if isinstance(measured, bool) or measured is None:
        return {None: "none", True: "true", False: "false"}[measured]
    if isinstance(measured, int | float):
        return number(float(measured)) if math.isfinite(measured) else str(measured)
    return str(measured)


def rule(metric: Metric) -> str:
    """What the value must be: the condition of success without its guards, `value` in place of `result[0]`."""
    condition = metric.success_condition
    if not condition:
        return f"not ({metric.failure_condition})" if metric.failure_condition else "an answer"
    parts = [part.strip() for part in condition.split("&&")]
    kept = [part for part in parts if not _GUARD.search(part)] or parts
    text = " and ".join(" ".join(part.split()) for part in kept)
    short = re.sub(r"\bresult(?:\[0\])?", "value", text)
    return short if len(short) <= _LONGEST else short[: _LONGEST - 1] + "…"


def rules(metrics: Sequence[Metric]) -> Mapping[str, str]:
    """The rule of each metric, by name."""
    return {metric.name: rule(metric) for metric in metrics}
