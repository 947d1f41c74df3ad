"""Rules on conditions: missing, one of two, unreadable."""

from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.node import Node
from pipelines.lint.promql import NotPromql, fill
from pipelines.lint.rules.limits import hit
from pipelines.lint.verdicts import CONDITIONS, OWN_JUDGES, compares, condition, misfits, parsed, problem
from pipelines.rehearsal.expression import UnsupportedExpression


def _neither(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        if metric.provider not in OWN_JUDGES and not any(metric.node.at(key).text for key in CONDITIONS):
            yield hit(metric, "name", "neither successCondition nor failureCondition: every answer is Successful")


def _one(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        if metric.provider in OWN_JUDGES:
            continue
        success, failure = (bool(metric.node.at(key).text) for key in CONDITIONS)
        severity = None if compares(metric) else Severity.NOTE
        if success and not failure:
            message = "only successCondition: what is no success, also no data and NaN, is Failed and aborts"
            yield hit(metric, "successCondition", message, severity)
        if failure and not success:
            message = "only failureCondition: what is no failure, also NaN, is Successful"
            yield hit(metric, "failureCondition", message, severity)


def _unheard(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        if metric.provider == "job":
            for key in CONDITIONS:
                if metric.node.at(key).text:
                    message = f"{key} {metric.node.at(key).text!r} is not looked at: a job is judged by its exit code"
                    yield hit(metric, key, message)


def _misfit(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        if misfits(metric):
            key = next(key for key in CONDITIONS if metric.node.at(key).text)
            answer = "a list of numbers" if metric.provider == "prometheus" else "one number"
            yield hit(metric, key, f"{metric.provider} answers {answer}: every measurement is an Error")


def _unreadable(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        for key in CONDITIONS:
            err = problem(condition(metric, key)) if metric.node.at(key).text else None
            if err is not None:
                covered = isinstance(err, UnsupportedExpression)
                yield hit(metric, key, f"{key}: {err}", Severity.NOTE if covered else Severity.WARNING)
        if metric.provider == "prometheus" and "{{" not in fill(_query(metric.node), metric.arguments):
            try:
                parsed(metric)
            except NotPromql as err:
                yield hit(metric, "provider.prometheus.query", f"the query is not read: {err}")


def _query(node: Node) -> str:
    return node.at("provider", "prometheus", "query").text


RULES = (
    Rule(
        number="ML003",
        name="no condition",
        severity=Severity.ERROR,
        reason="A metric without conditions never fails, whatever it measures.",
        remedy="successCondition and failureCondition",
        explain="""\
Rollouts 1.10 calls every measurement without conditions Successful (utils/evaluate/evaluate.go, EvaluateResult); its
documentation still says Inconclusive. For a web metric it means that any answer with status 2xx passes. Not reported:
job, kayenta and plugin, which judge by themselves.""",
        check=_neither,
    ),
    Rule(
        number="ML004",
        name="only one condition",
        severity=Severity.WARNING,
        reason="With one condition there is no third answer: no data, NaN and too few become success or failure.",
        remedy="both conditions, each guarded by len(result) > 0 && !isNaN(result[0]): what is neither is Inconclusive",
        explain="""\
The missing condition is the opposite of the other one (utils/evaluate/evaluate.go). With successCondition alone a quiet
canary is aborted; with failureCondition alone one without data is promoted. Inconclusive pauses the Rollout, and a
person decides. A note where no number is compared (result == "pass"): then the other side answers in words, and can
say what it means.""",
        check=_one,
    ),
    Rule(
        number="ML031",
        name="condition of a job",
        severity=Severity.WARNING,
        reason="Whoever wrote the condition believes that it is a gate.",
        remedy="let the job exit with another code than 0, and take the condition away",
        explain="""\
The job provider takes a completed Job for Successful and a failed one for Failed (metricproviders/job/job.go), and
never evaluates conditions.""",
        check=_unheard,
    ),
    Rule(
        number="ML032",
        name="condition does not fit the answer",
        severity=Severity.WARNING,
        reason="A condition that raises whatever is measured aborts every version.",
        remedy="Prometheus: result[0] behind len(result) > 0; scalar() and Datadog: result",
        explain="""\
A Prometheus vector is a list, also with one series; scalar() and Datadog give a number. The conditions are evaluated on
a few numbers in that form; reported where all of them raise.""",
        check=_misfit,
    ),
    Rule(
        number="ML028",
        name="not readable here",
        severity=Severity.NOTE,
        reason="What cannot be parsed was not judged by the other rules.",
        remedy="correct it, or see that somebody has looked at it",
        explain="""\
Queries are parsed as PromQL (2.45 and most of what came later), conditions as the part of expr-lang that the rehearsal
covers. An error in a condition is a warning: every measurement would be an Error, and five in a row abort. A part of
the language that is not covered here is a note.""",
        check=_unreadable,
    ),
)
