"""What the rules look at: an object of a file, an analysis that it runs, a metric with its arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from pipelines.lint.node import Node
from pipelines.lint.values import substitute, whole

TEMPLATES = ("AnalysisTemplate", "ClusterAnalysisTemplate")
ARGO = ("Rollout", "Experiment", *TEMPLATES)
KINDS = (*ARGO, "HorizontalPodAutoscaler", "ScaledObject", "Service")
# An argument that a component still has to fill.
UNFILLED = "unset"


@dataclass(frozen=True)
class Manifest:
    """One object and the file it came from, as it was given."""

    file: str
    node: Node

    @cached_property
    def kind(self) -> str:
        return self.node.at("kind").text

    @cached_property
    def name(self) -> str:
        return self.node.at("metadata", "name").text

    @cached_property
    def namespace(self) -> str:
        return self.node.at("metadata", "namespace").text

    @property
    def subject(self) -> str:
        return f"{self.kind}/{self.name or '(no name)'}"

    def spec(self, *path: str) -> Node:
        return self.node.at("spec", *path)


class Where(StrEnum):
    """Where an analysis runs; said so in messages."""

    STEP = "an analysis step"
    BACKGROUND = "the background analysis"
    BEFORE = "prePromotionAnalysis"
    AFTER = "postPromotionAnalysis"
    EXPERIMENT = "an experiment"


class Origin(StrEnum):
    """Where an argument's value comes from."""

    LITERAL = "literal"
    LATEST = "latest"
    STABLE = "stable"
    EXPERIMENT = "experiment"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


# Fields of a Rollout that hold the hashes.
_HASHES = {"status.stableRS": Origin.STABLE, "status.currentPodHash": Origin.LATEST}


@dataclass(frozen=True)
class Argument:
    """An argument as a template will see it; `value` only where it is literal."""

    name: str
    origin: Origin
    value: str
    node: Node


@dataclass(frozen=True)
class Reference:
    """A template that is asked for by name."""

    name: str
    cluster: bool
    node: Node

    @property
    def kind(self) -> str:
        return "ClusterAnalysisTemplate" if self.cluster else "AnalysisTemplate"


@dataclass(frozen=True, kw_only=True)
class Use:
    """One analysis of a Rollout or an Experiment with the templates that it names.

    `step` is its index among the canary's steps; `templates` are those that were found, with what they name in turn.
    """

    owner: Manifest
    where: Where
    node: Node
    templates: tuple[Manifest, ...]
    missing: tuple[Reference, ...]
    step: int | None = None

    @property
    def given(self) -> list[Argument]:
        """The arguments that the owner hands over."""
        return [argument(item) for item in self.node.at("args").items]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of a template as one use sees it, or as it stands where nobody uses it."""

    template: Manifest
    node: Node
    use: Use | None
    arguments: Mapping[str, Argument]

    @property
    def name(self) -> str:
        return self.node.at("name").text

    @property
    def subject(self) -> str:
        return f"{self.template.subject} metric {self.name or '(no name)'}"

    @cached_property
    def known(self) -> dict[str, str]:
        return {name: each.value for name, each in self.arguments.items() if each.origin is Origin.LITERAL}

    def text(self, *path: str) -> str:
        """A field with the known arguments put in."""
        return substitute(self.node.at(*path).text, self.known)

    def number(self, key: str, default: int) -> int | None:
        """A whole number; the default where it is not given, None where it depends on what is not known."""
        return whole(self.text(key)) if self.node.at(key) else default

    @property
    def effective_count(self) -> int | None:
        """How many measurements end it; None where it runs on, or where that is not known."""
        count = self.number("count", 0)
        return 1 if count == 0 and not self.node.at("interval") else count or None

    @property
    def endless(self) -> bool:
        """Whether only its end from outside ends it: an interval and no count."""
        return bool(self.node.at("interval")) and self.number("count", 0) == 0

    @property
    def provider(self) -> str:
        return next(iter(self.node.at("provider").fields), "")


def argument(node: Node) -> Argument:
    """An entry of `args`."""
    name, value, source = node.at("name").text, node.at("value"), node.at("valueFrom")
    if value and value.text != UNFILLED:
        if "{{templates." in value.text.replace(" ", ""):
            return Argument(name, Origin.EXPERIMENT, "", node)
        return Argument(name, Origin.LITERAL, value.text, node)
    pod = source.at("podTemplateHashValue").text
    if pod in ("Latest", "Stable"):
        return Argument(name, Origin.LATEST if pod == "Latest" else Origin.STABLE, "", node)
    path = source.at("fieldRef", "fieldPath").text
    if path in _HASHES:
        return Argument(name, _HASHES[path], "", node)
    return Argument(name, Origin.ELSEWHERE if source else Origin.UNKNOWN, "", node)
