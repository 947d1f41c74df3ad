"""All objects that were read together, and where each analysis is used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pipelines.lint.node import Node
from pipelines.lint.objects import TEMPLATES, Argument, Manifest, Metric, Origin, Reference, Use, Where, argument


@dataclass(frozen=True)
class Broken:
    """What should have been judged and could not be read.

    `subject` is the kind that it names, or that it is a file or folder; `reason` is why it could not be read.
    """

    file: str
    line: int
    subject: str
    reason: str


@dataclass(frozen=True)
class Manifests:
    """All that was read together.

    `complete`: nothing can stand elsewhere (a built overlay), so that what is missing here is missing. `broken`: what
    could not be read.
    """

    objects: tuple[Manifest, ...]
    complete: bool = False
    broken: tuple[Broken, ...] = ()

    def of(self, *kinds: str) -> list[Manifest]:
        return [each for each in self.objects if each.kind in kinds]

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], list[Manifest]]:
        found: dict[tuple[str, str], list[Manifest]] = {}
        for each in self.objects:
            found.setdefault((each.kind, each.name), []).append(each)
        return found

    def find(self, kind: str, name: str, *, near: Manifest) -> Manifest | None:
        """The object of this name that is meant: of the same namespace, and of the nearest file where several are."""
        there = [
            each
            for each in self.by_name.get((kind, name), [])
            if kind == "ClusterAnalysisTemplate"
            or not (each.namespace and near.namespace)
            or each.namespace == near.namespace
        ]
        return max(there, key=lambda each: _shared(each.file, near.file), default=None)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every analysis of every Rollout and Experiment."""
        found: list[Use] = []
        for owner in self.of("Rollout"):
            found += _of_rollout(self, owner)
        for owner in self.of("Experiment"):
            found += _of_experiment(self, owner, owner.spec(), None)
        return tuple(found)

    def metrics_of(self, use: Use) -> list[Metric]:
        """The metrics of one use."""
        return self._by_use.get(id(use), [])

    def metrics_alone(self, template: Manifest) -> list[Metric]:
        """The metrics of a template that nobody uses."""
        return self._by_use.get(id(template), [])

    def uses_of(self, template: Manifest) -> list[Use]:
        """Where a template is used."""
        return self._by_template.get(id(template), [])

    @cached_property
    def _by_use(self) -> Mapping[int, list[Metric]]:
        found: dict[int, list[Metric]] = {}
        for metric in self.metrics:
            found.setdefault(id(metric.use or metric.template), []).append(metric)
        return found

    @cached_property
    def _by_template(self) -> Mapping[int, list[Use]]:
        found: dict[int, list[Use]] = {}
        for use in self.uses:
            for template in use.templates:
                found.setdefault(id(template), []).append(use)
        return found

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric once for each use; once as it stands for a template that nobody here uses."""
        found: list[Metric] = []
        used = set()
        for use in self.uses:
            arguments = resolve(use)
            for template in use.templates:
                used.add(id(template))
                found += _metrics(template, use, arguments)
        for template in self.of(*TEMPLATES):
            if id(template) not in used:
                own = {each.name: each for each in map(argument, template.spec("args").items)}
                found += _metrics(template, None, own)
        return tuple(found)


def resolve(use: Use) -> dict[str, Argument]:
    """The arguments as the AnalysisRun has them: the templates' own, with what the owner hands over put on top."""
    found: dict[str, Argument] = {}
    for template in use.templates:
        for each in map(argument, template.spec("args").items):
            before = found.get(each.name)
            if before is None or before.origin is Origin.UNKNOWN:
                found[each.name] = each
    for each in use.given:
        if each.name in found and each.origin is not Origin.UNKNOWN:
            found[each.name] = each
    return found


def _metrics(template: Manifest, use: Use | None, arguments: Mapping[str, Argument]) -> Iterator[Metric]:
    for node in template.spec("metrics").items:
        yield Metric(template=template, node=node, use=use, arguments=arguments)


def _of_rollout(world: Manifests, owner: Manifest) -> Iterator[Use]:
    canary, colours = owner.spec("strategy", "canary"), owner.spec("strategy", "blueGreen")
    if canary.at("analysis").fields:
        yield _use(world, owner, Where.BACKGROUND, canary.at("analysis"))
    for index, step in enumerate(canary.at("steps").items):
        if step.at("analysis").fields:
            yield _use(world, owner, Where.STEP, step.at("analysis"), index)
        yield from _of_experiment(world, owner, step.at("experiment"), index)
    for key, where in (("prePromotionAnalysis", Where.BEFORE), ("postPromotionAnalysis", Where.AFTER)):
        if colours.at(key).fields:
            yield _use(world, owner, where, colours.at(key))


def _of_experiment(world: Manifests, owner: Manifest, node: Node, step: int | None) -> Iterator[Use]:
    for analysis in node.at("analyses").items:
        templates, missing = _templates(world, owner, [analysis])
        yield Use(owner=owner, where=Where.EXPERIMENT, node=analysis, templates=templates, missing=missing, step=step)


def _use(world: Manifests, owner: Manifest, where: Where, node: Node, step: int | None = None) -> Use:
    templates, missing = _templates(world, owner, node.at("templates").items)
    return Use(owner=owner, where=where, node=node, templates=templates, missing=missing, step=step)


def _templates(
    world: Manifests, owner: Manifest, asked: list[Node]
) -> tuple[tuple[Manifest, ...], tuple[Reference, ...]]:
    found: list[Manifest] = []
    missing: list[Reference] = []
    waiting = list(asked)
    while waiting:
        node = waiting.pop(0)
        name = node.at("templateName")
        reference = Reference(name.text, node.at("clusterScope").value is True, name if name else node)
        template = world.find(reference.kind, reference.name, near=owner)
        if template is None:
            missing.append(reference)
        elif all(template is not each for each in found):
            found.append(template)
            waiting += template.spec("templates").items
    return tuple(found), tuple(missing)


def _shared(left: str, right: str) -> int:
    """How many leading characters two paths share: the nearest file has most."""
    if left == right:
        return 1_000_000
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
