"""What the resource definitions of Rollouts 1.10 ask a value to be, for the fields around gates (manifests/crds)."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from pipelines.lint.node import Node
from pipelines.lint.values import pause_seconds, seconds, whole


class Kind(StrEnum):
    """What a value must be; said so in messages."""

    TEXT = "a text"
    PLAIN = "a text or a number"
    WHOLE = "a whole number"
    COUNT = "a whole number, or one as text"
    PERCENT = "a whole number from 0 up"
    PAUSE = "seconds, or a duration like 5m"
    SWITCH = "true or false"
    MAPPING = "a mapping"
    LIST = "a list"


# A field to what its value must be: a kind, the fields of a mapping, or, in a list of one, of each element.
Shape = Kind | Mapping[str, "Shape"] | list["Shape"]

_ARGUMENT: Shape = {"name": Kind.TEXT, "valueFrom": Kind.MAPPING}
_REFERENCE: Shape = {"templateName": Kind.TEXT, "clusterScope": Kind.SWITCH}
_WATCHED: Shape = [{"metricName": Kind.TEXT}]
_PROVIDERS = (
    "cloudWatch",
    "datadog",
    "graphite",
    "influxdb",
    "job",
    "kayenta",
    "newRelic",
    "plugin",
    "skywalking",
    "wavefront",
)
_METRIC: Shape = {
    "name": Kind.TEXT,
    "successCondition": Kind.TEXT,
    "failureCondition": Kind.TEXT,
    "interval": Kind.PLAIN,
    "initialDelay": Kind.PLAIN,
    "count": Kind.COUNT,
    "failureLimit": Kind.COUNT,
    "inconclusiveLimit": Kind.COUNT,
    "consecutiveErrorLimit": Kind.COUNT,
    "consecutiveSuccessLimit": Kind.COUNT,
    "provider": {
        "prometheus": {"address": Kind.TEXT, "query": Kind.TEXT},
        "web": {"url": Kind.TEXT, "jsonPath": Kind.TEXT, "method": Kind.TEXT, "body": Kind.TEXT, "headers": Kind.LIST},
        **dict.fromkeys(_PROVIDERS, Kind.MAPPING),
    },
}
TEMPLATE: Shape = {
    "metrics": [_METRIC],
    "args": [_ARGUMENT],
    "templates": [_REFERENCE],
    "dryRun": _WATCHED,
    "measurementRetention": Kind.LIST,
}
_ANALYSIS: dict[str, Shape] = {
    "templates": [_REFERENCE],
    "args": [_ARGUMENT],
    "dryRun": _WATCHED,
    "startingStep": Kind.WHOLE,
}
EXPERIMENT: Shape = {
    "templates": [Kind.MAPPING],
    "analyses": [{"name": Kind.TEXT, "templateName": Kind.TEXT, "clusterScope": Kind.SWITCH, "args": [_ARGUMENT]}],
    "duration": Kind.TEXT,
}
_STEP: Shape = {
    "setWeight": Kind.PERCENT,
    "pause": {"duration": Kind.PAUSE},
    "analysis": _ANALYSIS,
    "experiment": EXPERIMENT,
    "setCanaryScale": {"weight": Kind.PERCENT, "replicas": Kind.PERCENT, "matchTrafficWeight": Kind.SWITCH},
    "setHeaderRoute": Kind.MAPPING,
    "plugin": Kind.MAPPING,
}
_SERVICES: dict[str, Shape] = {"scaleDownDelaySeconds": Kind.WHOLE, "abortScaleDownDelaySeconds": Kind.WHOLE}
ROLLOUT: Shape = {
    "strategy": {
        "canary": {
            "analysis": _ANALYSIS,
            "steps": [_STEP],
            "canaryService": Kind.TEXT,
            "stableService": Kind.TEXT,
            "trafficRouting": Kind.MAPPING,
            **_SERVICES,
        },
        "blueGreen": {
            "prePromotionAnalysis": _ANALYSIS,
            "postPromotionAnalysis": _ANALYSIS,
            "activeService": Kind.TEXT,
            "previewService": Kind.TEXT,
            "autoPromotionEnabled": Kind.SWITCH,
            "autoPromotionSeconds": Kind.WHOLE,
            **_SERVICES,
        },
    },
    "replicas": Kind.WHOLE,
    "minReadySeconds": Kind.WHOLE,
    "progressDeadlineSeconds": Kind.WHOLE,
    "progressDeadlineAbort": Kind.SWITCH,
    "revisionHistoryLimit": Kind.WHOLE,
    "rollbackWindow": {"revisions": Kind.WHOLE},
    "selector": Kind.MAPPING,
    "template": Kind.MAPPING,
    "workloadRef": Kind.MAPPING,
}


def wrong(node: Node, shape: Shape, path: str) -> Iterator[tuple[Node, str]]:
    """The values at and below a node that are of another kind than they must be, each with what is said of it.

    What is missing or null is not wrong: a patch leaves out what it does not change.
    """
    kind = Kind.LIST if isinstance(shape, list) else shape if isinstance(shape, Kind) else Kind.MAPPING
    if not node:
        return
    if not _is(node, kind):
        yield node, f"{path} is {_said(node)}, it must be {kind}"
    elif isinstance(shape, list):
        for place, item in enumerate(node.items):
            if not item:
                yield item, f"{path}[{place}] is empty"
            yield from wrong(item, shape[0], f"{path}[{place}]")
    elif not isinstance(shape, Kind):
        for key, below in shape.items():
            yield from wrong(node.at(key), below, f"{path}.{key}")


def _is(node: Node, kind: Kind) -> bool:
    value = node.value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case Kind.MAPPING:
            return isinstance(value, dict)
        case Kind.LIST:
            return isinstance(value, list)
        case Kind.SWITCH:
            return isinstance(value, bool)
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.PLAIN:
            return isinstance(value, str) or number
        case Kind.WHOLE:
            return number and isinstance(value, int)
        case Kind.PERCENT:
            return number and isinstance(value, int) and value >= 0
        case Kind.COUNT:
            text = isinstance(value, str) and ("{{" in value or whole(value) is not None)
            return text or (number and isinstance(value, int))
        case Kind.PAUSE:
            return number or (isinstance(value, str) and (seconds(value) is not None or bool(pause_seconds(node))))


def _said(node: Node) -> str:
    if isinstance(node.value, dict | list):
        return "a mapping" if isinstance(node.value, dict) else "a list"
    return repr(node.value) if isinstance(node.value, str) else node.text
