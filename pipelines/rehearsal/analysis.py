"""One analysis run: which metrics are due, what their measurements mean, and how it ends. Pure books, no I/O.

The metrics run side by side. One that fails, errs or stays undecided ends the others; those have no verdict then and
count as successful. What is limited is the number of bad measurements *tolerated*.

Source: argo-rollouts v1.10.0, analysis/analysis.go and utils/evaluate/evaluate.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.rehearsal.contract import Measured, Phase
from pipelines.rehearsal.expression import ExpressionError, evaluate
from pipelines.rehearsal.metric import Metric, Prometheus

# Whatever the metric's interval is, an error is asked again after this long.
ERROR_RETRY_SECONDS = 10.0
# An interval of 0s asks as often as the controller comes by; here no oftener than this.
SHORTEST_INTERVAL_SECONDS = 0.1

_FROM_BEST = (
    Phase.SUCCESSFUL,
    Phase.RUNNING,
    Phase.PENDING,
    Phase.INCONCLUSIVE,
    Phase.ERROR,
    Phase.FAILED,
)
_ENDS_ALL = (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE)


@dataclass(frozen=True)
class Measurement:
    """One measurement: when it ended, what it gave, and its phase."""

    time: float
    value: object
    phase: Phase
    message: str = ""
    detail: str = ""
    link: str = ""


@dataclass
class MetricResult:
    """What is known of one metric so far."""

    metric: Metric
    phase: Phase = Phase.PENDING
    message: str = ""
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def last(self) -> Measurement | None:
        """The latest measurement."""
        return self.measurements[-1] if self.measurements else None


def judged(metric: Metric, measured: Measured, time: float) -> Measurement:
    """A measurement's phase by the metric's two conditions.

    Neither true is inconclusive; with one condition alone the other is its opposite; a condition that raises is an
    error; an answer of the web that is no JSON is a success, as in Argo Rollouts.
    """
    value = measured.value
    if isinstance(metric.provider, Prometheus) and isinstance(value, list):
        value = tuple(value)
    if measured.error:
        return Measurement(time, value, Phase.ERROR, measured.error, measured.detail, measured.link)
    if measured.unread:
        told = "the answer is no JSON, which counts as success"
        return Measurement(time, value, Phase.SUCCESSFUL, "", told, measured.link)
    phase, message = _by_conditions(metric, value)
    return Measurement(time, value, phase, message, measured.detail, measured.link)


def _by_conditions(metric: Metric, value: object) -> tuple[Phase, str]:
    answers: dict[str, bool] = {}
    for name, condition in (
        ("successCondition", metric.success_condition),
        ("failureCondition", metric.failure_condition),
    ):
        if condition:
            try:
                answers[name] = evaluate(condition, value)
            except ExpressionError as error:
                empty = value is None or (isinstance(value, list | tuple) and not value)
                reason = "metric result is nil or empty: no data returned from the metric provider" if empty else error
                return Phase.ERROR, f'could not evaluate {name} "{condition}": {reason}'
    success, failure = answers.get("successCondition"), answers.get("failureCondition")
    if success is None and failure is None:
        return Phase.SUCCESSFUL, ""
    if failure or (failure is None and not success):
        return Phase.FAILED, ""
    if success or success is None:
        return Phase.SUCCESSFUL, ""
    return Phase.INCONCLUSIVE, ""


class AnalysisRun:
    """The books of one analysis run.

    Ask `due(now)`, measure those, `record` each, then `assess`; `next_due()` says when to come back.
    """

    def __init__(self, metrics: Sequence[Metric], started: float) -> None:
        self.results = {metric.name: MetricResult(metric) for metric in metrics}
        self.started = started
        self.phase = Phase.RUNNING
        self.message = ""
        self._told_to_end = False

    @property
    def decisive(self) -> MetricResult | None:
        """The metric whose phase the run has; None while it runs or where all succeeded."""
        if self.phase not in _ENDS_ALL:
            return None
        return next(each for each in self.results.values() if each.phase is self.phase and not each.metric.dry_run)

    def due(self, now: float) -> list[Metric]:
        """The metrics to be measured now."""
        return [each.metric for each in self.results.values() if (at := self._due_at(each)) is not None and at <= now]

    def next_due(self) -> float | None:
        """When the next measurement falls due; None where none will."""
        times = [at for each in self.results.values() if (at := self._due_at(each)) is not None]
        return min(times, default=None)

    def _due_at(self, result: MetricResult) -> float | None:
        metric, last = result.metric, result.last
        if self.phase.completed or result.phase.completed:
            return None
        if last is None:
            return self.started + metric.initial_delay
        if metric.effective_count is not None and result.count >= metric.effective_count:
            return None
        if last.phase is Phase.ERROR or metric.interval is None:
            return last.time + ERROR_RETRY_SECONDS
        return last.time + max(metric.interval, SHORTEST_INTERVAL_SECONDS)

    def record(self, name: str, measured: Measured, now: float) -> Measurement:
        """Enter what measuring gave, finished `now`. The metric's phase changes only by `assess`."""
        result = self.results[name]
        measurement = judged(result.metric, measured, now)
        result.measurements.append(measurement)
        result.phase = Phase.RUNNING
        if measurement.phase is Phase.ERROR:
            result.error += 1
            result.consecutive_error += 1
            result.consecutive_success = 0
            return measurement
        result.count += 1
        result.consecutive_error = 0
        result.consecutive_success = result.consecutive_success + 1 if measurement.phase is Phase.SUCCESSFUL else 0
        result.successful += measurement.phase is Phase.SUCCESSFUL
        result.failed += measurement.phase is Phase.FAILED
        result.inconclusive += measurement.phase is Phase.INCONCLUSIVE
        return measurement

    def assess(self) -> Phase:
        """Bring metrics and run up to date with what was recorded; the run's phase."""
        self._assess_once()
        if not self.phase.completed and self._terminating():
            self._assess_once()
        return self.phase

    def terminate(self) -> Phase:
        """End it from outside: a metric without a verdict is successful then."""
        self._told_to_end = True
        return self.assess()

    def _terminating(self) -> bool:
        bad = (each.phase in _ENDS_ALL for each in self.results.values() if not each.metric.dry_run)
        return self._told_to_end or any(bad)

    def _assess_once(self) -> None:
        terminating, complete = self._terminating(), True
        worst, message = None, "Run Terminated" if self._told_to_end else ""
        for result in self.results.values():
            if result.last is None:
                complete = False
                continue
            phase = _metric_phase(result, terminating)
            if phase is not result.phase:
                result.phase, result.message = phase, result.last.message
            if not phase.completed:
                complete = False
            elif result.metric.dry_run:
                worst = worst or Phase.SUCCESSFUL
            elif worst is None or _FROM_BEST.index(phase) > _FROM_BEST.index(worst):
                worst, message = phase, _assessed(result) or message
        if terminating or (complete and worst is not None):
            self.phase, self.message = worst or Phase.SUCCESSFUL, message


def _metric_phase(result: MetricResult, terminating: bool) -> Phase:
    if result.phase.completed:
        return result.phase
    metric, last = result.metric, result.last
    if last is None:
        return Phase.SUCCESSFUL if terminating else Phase.PENDING
    beyond, _ = _beyond_limits(result)
    if beyond is not None:
        return beyond
    wanted = metric.consecutive_success_limit
    if 0 < wanted <= result.consecutive_success:
        return Phase.SUCCESSFUL
    if metric.effective_count is not None and result.count >= metric.effective_count:
        if wanted > 0:
            return Phase.INCONCLUSIVE if metric.failure_limit >= 0 else Phase.FAILED
        return Phase.SUCCESSFUL
    return Phase.SUCCESSFUL if terminating else Phase.RUNNING


def _beyond_limits(result: MetricResult) -> tuple[Phase | None, str]:
    metric = result.metric
    phase, message = None, ""
    if 0 <= metric.failure_limit < result.failed:
        phase, message = Phase.FAILED, f"failed ({result.failed}) > failureLimit ({metric.failure_limit})"
    if result.inconclusive > metric.inconclusive_limit:
        phase = Phase.INCONCLUSIVE
        message = f"inconclusive ({result.inconclusive}) > inconclusiveLimit ({metric.inconclusive_limit})"
    if result.consecutive_error > metric.consecutive_error_limit:
        phase = Phase.ERROR
        message = (
            f"consecutiveErrors ({result.consecutive_error}) > consecutiveErrorLimit ({metric.consecutive_error_limit})"
        )
    return phase, message


def _assessed(result: MetricResult) -> str:
    _, message = _beyond_limits(result)
    if not message:
        return ""
    told = f': "Error Message: {result.message}"' if result.message else ""
    return f'Metric "{result.metric.name}" assessed {result.phase} due to {message}{told}'
