"""How long things take: an analysis, and the canary before a step is reached."""

import math

from pipelines.lint.node import Node
from pipelines.lint.objects import Metric
from pipelines.lint.values import pause_seconds, seconds


def length(metric: Metric) -> float | None:
    """Seconds from the start to the last measurement that count allows; None where unknown, or without end."""
    count = metric.effective_count
    if count is None:
        return None
    delay, interval = (_duration(metric, key) for key in ("initialDelay", "interval"))
    return None if delay is None or interval is None else delay + (count - 1) * interval


def shortest(metric: Metric) -> float:
    """Seconds that the metric takes at least where all is well; 0 where that is not known."""
    row, count = metric.number("consecutiveSuccessLimit", 0), metric.effective_count
    needed = row or count or 1
    return (_duration(metric, "initialDelay") or 0.0) + (needed - 1) * (_duration(metric, "interval") or 0.0)


def delay(metric: Metric) -> float | None:
    """The metric's initialDelay in seconds; None where an argument that is not known says it."""
    return _duration(metric, "initialDelay")


def _duration(metric: Metric, key: str) -> float | None:
    text = metric.text(key)
    return seconds(text) if text else 0.0


def exposed(steps: list[Node], before: int, metrics: dict[int, list[Metric]]) -> float | None:
    """Seconds for which the canary has had traffic when a step begins; None where no step before gave it any.

    Args:
        steps: the canary's steps.
        before: the index of the step that begins.
        metrics: the metrics of each analysis step, by its index.

    A pause without duration, an experiment and a step that is not known take long enough.
    """
    total: float | None = None
    for index, step in enumerate(steps[:before]):
        if step.at("setWeight"):
            weight = step.at("setWeight").value
            if total is None and isinstance(weight, int) and weight > 0:
                total = 0.0
        elif any(step.at(key).present for key in ("setCanaryScale", "setHeaderRoute", "setMirrorRoute")):
            total = total or 0.0
        elif total is not None:
            total += _taken(step, metrics.get(index, []))
    return total


def _taken(step: Node, metrics: list[Metric]) -> float:
    if step.at("pause").present:
        lasts = pause_seconds(step.at("pause", "duration"))
        return math.inf if lasts is None else lasts
    if step.at("analysis").present:
        return max((shortest(metric) for metric in metrics), default=math.inf)
    return math.inf
