"""Rules on numbers: how many failures, how many measurements, and what the controller refuses."""

from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.objects import Metric, Where
from pipelines.lint.values import PLACEHOLDER, seconds, whole


def hit(metric: Metric, key: str, message: str, severity: Severity | None = None) -> Hit:
    """A hit at a field of a metric, or at the metric where the field is missing."""
    field = metric.node.at(*key.split("."))
    node = field if field.present else metric.node
    return Hit(file=metric.template.file, node=node, subject=metric.subject, message=message, severity=severity)


def _tolerates_all(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        count, limit = metric.effective_count, metric.number("failureLimit", 0)
        if count is not None and limit is not None and limit >= count:
            yield hit(metric, "failureLimit", f"failureLimit {limit} of {count} measurements: all may fail")


def _needs_no_success(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        count, failures = metric.effective_count, metric.number("failureLimit", 0)
        unclear, row = metric.number("inconclusiveLimit", 0), metric.number("consecutiveSuccessLimit", 0)
        if count is None or failures is None or unclear is None or row is None or row > 0 or failures < 0:
            continue
        if failures < count <= failures + unclear:
            message = (
                f"{count} measurements end it as Successful, and {failures} failed and {unclear} inconclusive ones are"
                " tolerated: no success is needed"
            )
            yield hit(metric, "inconclusiveLimit", message)


def _endless(world: Manifests) -> Iterator[Hit]:
    said: set[int] = set()
    for metric in world.metrics:
        use = metric.use
        if id(metric.node) in said or use is None or use.where not in (Where.STEP, Where.BEFORE, Where.AFTER):
            continue
        if metric.endless:
            said.add(id(metric.node))
            yield hit(metric, "interval", f"an interval and no count in {use.where} of {use.owner.subject}: never ends")
        elif metric.node.at("interval") and _placeholder_default(metric) is False:
            said.add(id(metric.node))
            message = f"count has no number as default in the template; used in {use.where} of {use.owner.subject}"
            yield hit(metric, "count", message)


def _placeholder_default(metric: Metric) -> bool | None:
    """Whether the argument behind `count` has a number as default; None where count is no argument."""
    found = PLACEHOLDER.fullmatch(metric.node.at("count").text.strip())
    if found is None:
        return None
    own = [each for each in metric.template.spec("args").items if each.at("name").text == found.group(1)]
    return bool(own) and whole(own[0].at("value").text) is not None


def _until_lucky(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        if metric.number("failureLimit", 0) != -1 or not metric.number("consecutiveSuccessLimit", 0):
            continue
        count = metric.effective_count
        end = f"after {count} without, it is Failed and aborts" if count else "nothing else ends it"
        judged = bool(metric.node.at("failureCondition"))
        message = f"failureLimit -1: it is asked until it succeeds, no failure counts; {end}"
        yield hit(metric, "failureLimit", message, Severity.WARNING if judged else None)


def _refused(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        yield from _refused_numbers(metric)
        count, interval = metric.number("count", 0), metric.text("interval")
        if count is not None and count > 1 and not interval:
            yield hit(metric, "count", f"count {count} without an interval")
        for key in ("interval", "initialDelay"):
            text = metric.text(key)
            if text and not PLACEHOLDER.search(text) and "{{" not in text and seconds(text) is None:
                yield hit(metric, key, f"{key} {text!r} is no duration; write 30s, 5m, 1h30m")
        if len(metric.node.at("provider").fields) > 1:
            yield hit(metric, "provider", "more than one provider")


def _refused_numbers(metric: Metric) -> Iterator[Hit]:
    count, failures = metric.number("count", 0), metric.number("failureLimit", 0)
    row, unclear = metric.number("consecutiveSuccessLimit", 0), metric.number("inconclusiveLimit", 0)
    if failures is not None and row == 0 and failures < 0:
        yield hit(metric, "failureLimit", f"failureLimit {failures} and no consecutiveSuccessLimit: nothing decides")
    if not count or failures is None or row is None or unclear is None:
        return
    if failures < count < max(failures, 0) + row:
        yield hit(
            metric, "count", f"count {count} is below failureLimit + consecutiveSuccessLimit ({failures} + {row})"
        )
    if unclear > count:
        yield hit(metric, "inconclusiveLimit", f"inconclusiveLimit {unclear} is above count {count}")


RULES = (
    Rule(
        number="ML001",
        name="every failure is tolerated",
        severity=Severity.ERROR,
        reason="failureLimit counts tolerated failures: at count or above, a metric that always fails is Successful.",
        remedy="failureLimit: 0, or at least below count",
        explain="""\
A metric is Failed only when its failed measurements are *more* than failureLimit (analysis/analysis.go,
assessMetricFailureInconclusiveOrError); when count is reached before that it is Successful. Without count and interval
one measurement is taken, so failureLimit: 1 is enough to switch the gate off. Above count, Rollouts 1.10 refuses the
metric. Not reported: a background metric without count, which has no end to reach.""",
        check=_tolerates_all,
    ),
    Rule(
        number="ML002",
        name="no success is needed",
        severity=Severity.ERROR,
        reason="Failed and inconclusive measurements together use up count, and count reached is Successful.",
        remedy="consecutiveSuccessLimit: 1, or failureLimit + inconclusiveLimit below count",
        explain="""\
inconclusiveLimit tolerates measurements that say nothing, and nobody sees them: when count is reached without more than
failureLimit failures and inconclusiveLimit inconclusive ones, the metric is Successful (analysis/analysis.go). With a
limit as high as count, a query that never finds data lets the version through. consecutiveSuccessLimit turns the same
numbers into waiting: without a success the metric ends Inconclusive, and the Rollout pauses for a person.""",
        check=_needs_no_success,
    ),
    Rule(
        number="ML026",
        name="never ends",
        severity=Severity.ERROR,
        reason="A step waits for its analysis; a metric with an interval and no count has no end.",
        remedy="count: as many measurements as decide it; an argument for count needs a number as its default",
        explain="""\
Rollouts refuses such a Rollout as invalid: "has metric ... which runs indefinitely" (pkg/apis/rollouts/validation/
validation_references.go). It looks at the template with the template's own defaults, before the Rollout's arguments are
put in, so an argument for count must have a number as default. In the background a metric without end is right: the end
of the rollout ends it.""",
        check=_endless,
    ),
    Rule(
        number="ML027",
        name="asked until it succeeds",
        severity=Severity.NOTE,
        reason="failureLimit -1 with consecutiveSuccessLimit waits: no failure closes the gate.",
        remedy="to judge: failureLimit 0; to wait and then pause: failureLimit 0 with inconclusiveLimit: <count>",
        explain="""\
Good for waiting for an event, wrong for judging: a version that succeeds once in twenty passes. At the end of count it
is Failed, which aborts, where failureLimit: 0 with inconclusiveLimit: <count> ends Inconclusive, which pauses
(docs/features/analysis.md, ConsecutiveSuccessLimit). A warning where a failureCondition shows that it is to judge.""",
        check=_until_lucky,
    ),
    Rule(
        number="ML029",
        name="refused by the controller",
        severity=Severity.ERROR,
        reason="Rollouts does not run a metric whose numbers contradict each other.",
        remedy="count at least failureLimit + consecutiveSuccessLimit, and inconclusiveLimit; interval with count",
        explain="""\
The checks of utils/analysis/factory.go, ValidateMetric: the AnalysisRun ends in Error, the Rollout is aborted when it
gets there.""",
        check=_refused,
    ),
)
