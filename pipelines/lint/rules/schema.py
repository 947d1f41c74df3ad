"""Rule on what the resource definitions of Rollouts do not know: a misspelt field is a setting that does not exist."""

import difflib
from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.node import Node
from pipelines.lint.objects import TEMPLATES, Manifest

# manifests/crds of Rollouts 1.10, the fields around gates.
_ANALYSIS = frozenset(("analysisRunMetadata", "args", "dryRun", "measurementRetention", "templates"))
_TEMPLATE = frozenset(("args", "dryRun", "measurementRetention", "metrics", "templates"))
_METRIC = frozenset(
    (
        "consecutiveErrorLimit", "consecutiveSuccessLimit", "count", "failureCondition", "failureLimit",
        "inconclusiveLimit", "initialDelay", "interval", "name", "provider", "successCondition",
    )
)  # fmt: skip
_ROLLOUT = frozenset(
    (
        "analysis", "minReadySeconds", "paused", "progressDeadlineAbort", "progressDeadlineSeconds", "replicas",
        "restartAt", "revisionHistoryLimit", "rollbackWindow", "selector", "strategy", "template", "workloadRef",
    )
)  # fmt: skip
_RETENTION = frozenset(("successfulRunHistoryLimit", "unsuccessfulRunHistoryLimit"))
_CANARY = frozenset(
    (
        "abortScaleDownDelaySeconds", "analysis", "antiAffinity", "canaryMetadata", "canaryService",
        "dynamicStableScale", "maxSurge", "maxUnavailable", "minPodsPerReplicaSet", "pingPong",
        "replicaProgressThreshold", "scaleDownDelayRevisionLimit", "scaleDownDelaySeconds", "stableMetadata",
        "stableService", "steps", "trafficRouting",
    )
)  # fmt: skip
_COLOURS = frozenset(
    (
        "abortScaleDownDelaySeconds", "activeMetadata", "activeService", "antiAffinity", "autoPromotionEnabled",
        "autoPromotionSeconds", "maxUnavailable", "postPromotionAnalysis", "prePromotionAnalysis", "previewMetadata",
        "previewReplicaCount", "previewService", "scaleDownDelayRevisionLimit", "scaleDownDelaySeconds",
    )
)  # fmt: skip
_STEP = frozenset(
    (
        "analysis", "experiment", "pause", "plugin", "setCanaryScale", "setHeaderRoute", "setMirrorRoute", "setWeight",
    )
)  # fmt: skip


def _not_known(world: Manifests) -> Iterator[Hit]:
    for template in world.of(*TEMPLATES):
        yield from _beyond(template, template.spec(), _TEMPLATE)
        for metric in template.spec("metrics").items:
            yield from _beyond(template, metric, _METRIC)
        yield from _no_text(template, template.spec("args"))
    for owner in world.of("Rollout"):
        yield from _of_rollout(owner)
    for use in world.uses:
        yield from _no_text(use.owner, use.node.at("args"))


def _of_rollout(owner: Manifest) -> Iterator[Hit]:
    canary, colours = owner.spec("strategy", "canary"), owner.spec("strategy", "blueGreen")
    yield from _beyond(owner, owner.spec(), _ROLLOUT)
    yield from _beyond(owner, owner.spec("analysis"), _RETENTION)
    yield from _beyond(owner, canary, _CANARY)
    yield from _beyond(owner, canary.at("analysis"), _ANALYSIS | {"startingStep"})
    yield from _beyond(owner, colours, _COLOURS)
    for key in ("prePromotionAnalysis", "postPromotionAnalysis"):
        yield from _beyond(owner, colours.at(key), _ANALYSIS)
    for step in canary.at("steps").items:
        yield from _beyond(owner, step, _STEP)
        yield from _beyond(owner, step.at("analysis"), _ANALYSIS)


def _beyond(owner: Manifest, node: Node, known: frozenset[str]) -> Iterator[Hit]:
    for key, below in node.fields.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield _hit(owner, below, f"there is no field {key} here{hint}")


def _no_text(owner: Manifest, arguments: Node) -> Iterator[Hit]:
    for each in arguments.items:
        value = each.at("value")
        if value and not isinstance(value.value, str):
            name = each.at("name").text
            yield _hit(owner, value, f"argument {name}: {value.text or 'a structure'} is no text, it must be in quotes")


def _hit(owner: Manifest, node: Node, message: str) -> Hit:
    return Hit(file=owner.file, node=node, subject=owner.subject, message=message)


RULES = (
    Rule(
        number="ML030",
        name="not in the schema",
        severity=Severity.WARNING,
        reason="A misspelt limit or condition is refused at best, and dropped without a word at worst.",
        remedy="spell it as the resource definition does; a number that is an argument's value stands in quotes",
        explain="""\
The API server prunes fields that the definition does not know (manifests/crds), unless the client asks for strict
validation: `autoPromotionEnables: false` promotes. Looked at are the fields around gates: of a template, its metrics,
a Rollout, its strategies, steps and analyses. successCondition belongs to a metric; in a Rollout nobody reads it.
An argument's value has the type string: an unquoted number is refused.""",
        check=_not_known,
    ),
)
