"""Rules on what is asked: everybody instead of the canary, one series of several."""

from collections.abc import Iterator

from pipelines.lint.canary import TEXTS, Choice, selects
from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.objects import Metric, Where
from pipelines.lint.rules.limits import hit
from pipelines.lint.verdicts import first_only, query


def _everybody(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        if metric.provider not in ("prometheus", *TEXTS) or (metric.use and metric.use.where is Where.AFTER):
            continue
        choice = selects(metric)
        key = "provider.prometheus.query" if metric.provider == "prometheus" else "provider"
        if choice is Choice.NOBODY:
            yield hit(metric, key, f"selects no canary{_asked(metric)}: the stable version's answers count too")
        elif choice is Choice.OPEN and metric.use is None and _readable(metric):
            message = "whether it selects the canary depends on arguments that nothing read here fills"
            yield hit(metric, key, message, Severity.NOTE)


def _readable(metric: Metric) -> bool:
    return metric.provider != "prometheus" or query(metric) is not None


def _asked(metric: Metric) -> str:
    """The labels that are selected, for the message."""
    found = query(metric)
    if found is None:
        return ""
    labels = {
        f"{each.label}{each.operator}{each.value!r}"
        for one in found.selectors
        for each in one
        if each.label != "__name__"
    }
    return f" (only {', '.join(sorted(labels)[:4])})" if labels else " (no label at all)"


def _one_series(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        found = query(metric)
        ranged = metric.node.at("provider", "prometheus", "rangeQuery").present
        if found is not None and found.several and not ranged and first_only(metric):
            message = "the answer can hold several series, of which result[0] is any one"
            yield hit(metric, "provider.prometheus.query", message)


RULES = (
    Rule(
        number="ML009",
        name="one of several series",
        severity=Severity.WARNING,
        reason="The order of series is not fixed: one pod of three is judged, and not always the same one.",
        remedy='aggregate: sum(...), max(...); or judge all, in quotes: "all(result, # < 0.01)"',
        explain="""\
Reported where the query is not aggregated to one series and the conditions look at result[0] alone. Aggregated are
sum, max, ... without `by`, `by` labels that the selectors fix by `=`, topk(1, ...), histogram_quantile of sum by (le).
A name with colons is taken for a recording rule that has aggregated. Not reported: range queries.""",
        check=_one_series,
    ),
    Rule(
        number="ML010",
        name="canary is not selected",
        severity=Severity.ERROR,
        reason="A quarter of the traffic cannot spoil the average of all: a bad canary hides behind the stable pods.",
        remedy='rollouts_pod_template_hash="{{args.canary-hash}}", filled by valueFrom: podTemplateHashValue: Latest',
        explain="""\
Taken for a canary: an argument filled by podTemplateHashValue: Latest or by an experiment's podTemplateHash; a label
named like a pod template hash; a label or value that says canary, preview, candidate, baseline; the name of the
Rollout's canaryService or previewService; a field of spec.template or status (a tag, a target group); a matcher that
excludes stable. Where no Rollout that uses the template was read, an argument named after a hash, canary or version
counts, and any other argument makes it a note. Not reported: postPromotionAnalysis (after the switch all traffic is the
new version's), web, job, kayenta and plugin metrics. A name (a service's, a mesh's) is weaker than a hash: in the first
seconds former pods may still answer to it; that case is ML011's.""",
        check=_everybody,
    ),
)
