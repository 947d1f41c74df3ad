"""Rules on blue-green, on history, and on metrics that are only watched."""

import re
from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.node import Node
from pipelines.lint.objects import TEMPLATES, Manifest, Where
from pipelines.lint.timing import length

# What Rollouts takes where revisionHistoryLimit is not given.
_HISTORY = 10


def _number(node: Node) -> int | None:
    return node.value if isinstance(node.value, int) and not isinstance(node.value, bool) else None


def _promoted_by_time(world: Manifests) -> Iterator[Hit]:
    for owner in world.of("Rollout"):
        colours = owner.spec("strategy", "blueGreen")
        after = _number(colours.at("autoPromotionSeconds"))
        by_hand = colours.at("autoPromotionEnabled").value is False
        if after and not by_hand and colours.at("prePromotionAnalysis").fields:
            node = colours.at("autoPromotionSeconds")
            message = f"promotes {after} s after the pause began, beside a prePromotionAnalysis that is to decide"
            yield Hit(file=owner.file, node=node, subject=owner.subject, message=message)


def _gone_too_soon(world: Manifests) -> Iterator[Hit]:
    for use in world.uses:
        node = use.owner.spec("strategy", "blueGreen", "scaleDownDelaySeconds")
        kept = _number(node)
        if use.where is not Where.AFTER or kept is None:
            continue
        longest = max((length(metric) or 0.0 for metric in world.metrics_of(use)), default=0.0)
        if kept < longest:
            message = f"the former version is kept {kept} s, and postPromotionAnalysis takes up to {longest:g} s"
            yield Hit(file=use.owner.file, node=node, subject=use.owner.subject, message=message)


def _beyond_history(world: Manifests) -> Iterator[Hit]:
    for owner in world.of("Rollout"):
        node, kept = owner.spec("rollbackWindow", "revisions"), _number(owner.spec("revisionHistoryLimit"))
        window, limit = _number(node), _HISTORY if kept is None else kept
        if window is not None and window > limit:
            said = "the default" if kept is None else "revisionHistoryLimit"
            message = f"a window of {window} revisions, and {said} keeps {limit}"
            yield Hit(file=owner.file, node=node, subject=owner.subject, message=message)


def _watched_only(world: Manifests) -> Iterator[Hit]:
    for template in world.of(*TEMPLATES):
        names = [metric.at("name").text for metric in template.spec("metrics").items]
        yield from _dry(template, template.spec("dryRun"), names)
    for use in world.uses:
        names = [metric.name for metric in world.metrics_of(use)]
        yield from _dry(use.owner, use.node.at("dryRun"), names)
    for owner in world.of("Experiment"):
        yield from _dry(owner, owner.spec("dryRun"), [])


def _dry(owner: Manifest, node: Node, names: list[str]) -> Iterator[Hit]:
    patterns = [item.at("metricName").text for item in node.items]
    if not patterns:
        return
    left = [name for name in names if not any(_matches(pattern, name) for pattern in patterns)]
    every = (bool(names) and not left) or any(pattern in (".*", "*", ".+") for pattern in patterns)
    message = f"only watched: {', '.join(patterns)}"
    message = "every metric is only watched: the analysis cannot fail" if every else message
    severity = Severity.ERROR if every else None
    yield Hit(file=owner.file, node=node, subject=owner.subject, message=message, severity=severity)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except (re.error, RecursionError, OverflowError):
        return False


RULES = (
    Rule(
        number="ML013",
        name="promoted by time",
        severity=Severity.WARNING,
        reason="autoPromotionSeconds promotes because time has passed; a gate promotes because it was passed.",
        remedy="leave autoPromotionSeconds out: a prePromotionAnalysis that is Successful promotes by itself",
        explain="""\
Rollouts' documentation (docs/features/analysis.md) says that after autoPromotionSeconds the analysis is marked
Successful and traffic is switched. The 1.10 controller waits for the analysis, and counts the seconds from its end
(rollout/bluegreen.go, rollout/pause.go); so there it only delays, and a version that does what is documented is a gate
that opens. Not reported with autoPromotionEnabled: false, where the field is ignored.""",
        check=_promoted_by_time,
    ),
    Rule(
        number="ML014",
        name="former version gone too soon",
        severity=Severity.WARNING,
        reason="If postPromotionAnalysis fails, traffic goes back to the former version; it must still be there.",
        remedy="scaleDownDelaySeconds at least initialDelay + (count - 1) x interval; or leave it out",
        explain="""\
Documented (docs/features/bluegreen.md): with scaleDownDelaySeconds given, the controller cancels the analysis when the
delay is over and scales the former ReplicaSet down; left out, it waits for the analysis and 30 s more. The 1.10 source
keeps the former ReplicaSet while it is the stable one, which it is until the analysis is Successful (rollout/sync.go,
shouldFullPromote), so there the delay only decides how long a revert finds its pods running. Reported by what is
documented; not reported where the field is left out or a length depends on arguments that are not known.""",
        check=_gone_too_soon,
    ),
    Rule(
        number="ML015",
        name="window beyond history",
        severity=Severity.WARNING,
        reason="A revert skips steps only to a ReplicaSet that still exists; history deletes the older ones.",
        remedy="rollbackWindow.revisions at most revisionHistoryLimit (10 where it is not given)",
        explain="""\
The window counts ReplicaSets by creation time (rollout/sync.go, isRollbackWithinWindow); those beyond
revisionHistoryLimit are deleted, a revert to one is a new ReplicaSet and walks all steps. It fails closed, at the
moment when somebody needs it quickly.""",
        check=_beyond_history,
    ),
    Rule(
        number="ML016",
        name="only watched",
        severity=Severity.WARNING,
        reason="A dryRun metric is measured and decides nothing.",
        remedy="take it out of dryRun, or out of the analysis",
        explain="""\
metricName is a regular expression that is searched in the name, so `error` also takes `error-ratio-canary`. An error
where it takes every metric: the analysis is Successful whatever happens (analysis/analysis.go).""",
        check=_watched_only,
    ),
)
