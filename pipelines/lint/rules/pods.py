"""Rules on the pods: who owns their number, and values in the template that make every sync a rollout."""

import re
from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.node import Node
from pipelines.lint.objects import Manifest

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
_EPOCH = re.compile(r"1[5-9]\d{8}(\d{3})?")
_TIME_KEY = re.compile(
    r"restarted-?at|roll-?me|(deploy|deployed|build|built|release|released|restart)[-_.]?(at|time|date|timestamp)$"
    r"|^timestamp$|[/_.-]timestamp$",
    re.IGNORECASE,
)
_PERSON_KEY = re.compile(
    r"(approver|approved[-_.]?by|deployed[-_.]?by|pull[-_.]?request|merge[-_.]?commit|pipeline[-_.]?(id|run|number)"
    r"|build[-_.]?(number|id|url))$",
    re.IGNORECASE,
)


def _two_owners(world: Manifests) -> Iterator[Hit]:
    for scaler in world.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler.spec("scaleTargetRef")
        if target.at("kind").text != "Rollout":
            continue
        owner = world.find("Rollout", target.at("name").text, near=scaler)
        node = owner.spec("replicas") if owner is not None else target.at("none")
        if owner is not None and node:
            message = f"replicas {node.text} beside {scaler.subject}, which owns the number"
            yield Hit(file=owner.file, node=node, subject=owner.subject, message=message)


def _two_autoscalers(world: Manifests) -> Iterator[Hit]:
    first: dict[str, Manifest] = {}
    for scaler in world.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler.spec("scaleTargetRef")
        owner = (
            world.find("Rollout", target.at("name").text, near=scaler) if target.at("kind").text == "Rollout" else None
        )
        if owner is None:
            continue
        other = first.setdefault(f"{owner.file} {owner.namespace} {owner.name}", scaler)
        if other is not scaler:
            message = f"scales {owner.subject} beside {other.subject}"
            yield Hit(file=scaler.file, node=target, subject=scaler.subject, message=message)


def _of_the_day(world: Manifests) -> Iterator[Hit]:
    for owner in world.of("Rollout"):
        template = owner.spec("template")
        for place in ("annotations", "labels"):
            for key, node in template.at("metadata", place).fields.items():
                if _dated(key, node) or _MOMENT.match(node.text):
                    yield _hit(owner.file, owner.subject, node, f"{place[:-1]} {key}")
        pod = template.at("spec")
        for container in [*pod.at("initContainers").items, *pod.at("containers").items]:
            for variable in container.at("env").items:
                name, node = variable.at("name").text, variable.at("value")
                if node.text and _dated(name, node):
                    yield _hit(owner.file, owner.subject, node, f"variable {name}")


def _dated(key: str, node: Node) -> bool:
    if _PERSON_KEY.search(key):
        return True
    return (bool(_TIME_KEY.search(key)) and bool(node.text)) or bool(
        _EPOCH.fullmatch(node.text) and re.search(r"time|date|stamp|epoch|at$", key, re.IGNORECASE)
    )


def _hit(file: str, subject: str, node: Node, what: str) -> Hit:
    message = f"{what} of the pod template changes with every deployment"
    return Hit(file=file, node=node, subject=subject, message=message)


RULES = (
    Rule(
        number="ML023",
        name="two owners of replicas",
        severity=Severity.WARNING,
        reason="Every sync sets spec.replicas back: in the middle of a canary the weights and the load jump.",
        remedy="leave spec.replicas out of a Rollout that an autoscaler scales",
        explain="""\
For HorizontalPodAutoscaler and KEDA's ScaledObject whose target is kind Rollout. Weights without a traffic router are
shares of pods, so a number that is set back moves traffic as well.""",
        check=_two_owners,
    ),
    Rule(
        number="ML038",
        name="two autoscalers of a Rollout",
        severity=Severity.WARNING,
        reason="Each sets the number that it computed: pods come and go, and a canary's share of them with it.",
        remedy="one autoscaler for a Rollout: several triggers or metrics inside of it",
        explain="""\
KEDA makes a HorizontalPodAutoscaler from each ScaledObject, so one of either kind is one autoscaler. Of several
triggers or metrics inside one of them the largest number of pods counts.""",
        check=_two_autoscalers,
    ),
    Rule(
        number="ML024",
        name="value of the day in the pod template",
        severity=Severity.WARNING,
        reason="A pod template that changes with every deployment makes a new version of the same: a revert is none.",
        remedy="keep there what the build knew; the rest on the Rollout's own metadata; restart by spec.restartAt",
        explain="""\
The ReplicaSet is found by the hash of the pod template: with a moment, an approver or a pipeline's number in it, the
former template never comes back, and rollbackWindow finds nothing. Reported are annotations and labels that hold a
moment, and keys of annotations, labels and variables that say so (restartedAt, rollme, deployed-at, approver,
pull-request, merge-commit, build-number). A variable that merely holds a date is not.""",
        check=_of_the_day,
    ),
)
