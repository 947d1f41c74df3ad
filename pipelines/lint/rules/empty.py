"""Rules on answers without data and on NaN. The conditions themselves are asked what they would say."""

from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.objects import Metric
from pipelines.lint.promql_shape import Nan
from pipelines.lint.rules.limits import hit
from pipelines.lint.verdicts import CONDITIONS, Outcome, misfits, on_nan, on_nothing, query

_CLOSED = (Outcome.INCONCLUSIVE, Outcome.FAILED, Outcome.ERROR)


def _key(metric: Metric) -> str:
    """The condition that a hit points at."""
    return next((key for key in CONDITIONS if metric.node.at(key)), "name")


def _judged(metric: Metric) -> bool:
    """Whether there are conditions, and not such as raise for any answer: those are ML032's."""
    return any(metric.node.at(key).text for key in CONDITIONS) and not misfits(metric)


def _raises(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        if _judged(metric) and on_nothing(metric) is Outcome.ERROR:
            looks = "result" if metric.provider == "datadog" else "result[0]"
            message = (
                f"an answer without data makes {looks} an error; five in a row end the analysis in Error and abort"
            )
            yield hit(metric, _key(metric), message)


def _passes_nothing(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        if not _judged(metric) or on_nothing(metric) is not Outcome.SUCCESSFUL:
            continue
        found = query(metric)
        instead = None if found is None else found.fallback
        message = "no data is Successful" if instead is None else f"no data is read as {instead:g}, which is Successful"
        beside = _beside(world, metric)
        if beside is not None:
            yield hit(metric, _key(metric), f"{message}; metric {beside.name} beside it sees that", Severity.NOTE)
        else:
            yield hit(metric, _key(metric), message)


def _beside(world: Manifests, metric: Metric) -> Metric | None:
    """Another metric of the same analysis that does not pass without data."""
    beside = world.metrics_alone(metric.template) if metric.use is None else world.metrics_of(metric.use)
    for other in beside:
        if other.node is not metric.node and _judged(other) and on_nothing(other) in _CLOSED:
            return other
    return None


def _not_a_number(world: Manifests) -> Iterator[Hit]:
    yield from _nan(world, ratio=False)


def _ratio(world: Manifests) -> Iterator[Hit]:
    yield from _nan(world, ratio=True)


def _nan(world: Manifests, *, ratio: bool) -> Iterator[Hit]:
    for metric in world.metrics:
        found = query(metric)
        if found is None or not found.nan or not _judged(metric) or (Nan.RATIO in found.nan) is not ratio:
            continue
        outcome = on_nan(metric)
        if outcome in (Outcome.INCONCLUSIVE, Outcome.UNKNOWN):
            continue
        why = Nan.RATIO if ratio else sorted(found.nan)[0]
        severity = Severity.ERROR if outcome is Outcome.SUCCESSFUL else None
        yield hit(metric, "provider.prometheus.query" if ratio else _key(metric), f"{why}: NaN is {outcome}", severity)


RULES = (
    Rule(
        number="ML005",
        name="bare result[0]",
        severity=Severity.WARNING,
        reason="Before its first samples a canary has none: indexing an empty answer is an error, and errors abort.",
        remedy="len(result) > 0 && ... in both conditions (Datadog: result != nil && ...)",
        explain="""\
Prometheus answers an empty list where no series matches. An expression that raises makes the measurement an Error;
consecutiveErrorLimit (4) of them are tolerated, 10 s apart, then the analysis is in Error and the Rollout is aborted
(analysis/analysis.go). The conditions are evaluated on an empty answer to find this. Not reported: queries that always
answer (or vector(0), scalar), all() and any() over the result.""",
        check=_raises,
    ),
    Rule(
        number="ML006",
        name="no data passes",
        severity=Severity.ERROR,
        reason="A canary that nobody scrapes or calls is promoted.",
        remedy="let no data be neither success nor failure; count the samples in a metric or step of its own",
        explain="""\
The conditions are evaluated on an answer without data: an empty list, nil for Datadog, or what the query puts in its
place (or vector(0)). A note where another metric of the same analysis does not pass without data: then it closes.
`default(result, 0) < 0.05` and `len(result) == 0 || ...` are in Rollouts' documentation, and fail open like this.""",
        check=_passes_nothing,
    ),
    Rule(
        number="ML007",
        name="NaN is not guarded",
        severity=Severity.WARNING,
        reason="Every comparison with NaN is false: it becomes a failure or, by the other condition, a success.",
        remedy="!isNaN(result[0]) && ... in both conditions",
        explain="""\
The conditions are evaluated on NaN. An error where NaN is Successful, a warning where it is Failed (a good version is
aborted for want of requests). Reported only where the query can be NaN for another reason than a ratio:
histogram_quantile without observations, scalar() of nothing. Two plain comparisons that leave NaN out are right: it is
Inconclusive.""",
        check=_not_a_number,
    ),
    Rule(
        number="ML008",
        name="denominator can be zero",
        severity=Severity.WARNING,
        reason="0 / 0 is NaN: a canary without requests is taken for a good or for a bad one.",
        remedy="ask for requests in it: / (sum(increase(...)) > 100); or make NaN neither success nor failure",
        explain="""\
A denominator that counts over a window (rate, increase, ...) or is a counter can be 0. Guarded is one that is compared
(> 0), clamped (clamp_min(x, 1)), counted (count()), or whose ratio stands left of `and`, `unless` or a comparison. Not
reported where the conditions make NaN Inconclusive. An error where they make it Successful. A denominator that is
merely above 0 still judges one request: ask for a number that means something.""",
        check=_ratio,
    ),
)
