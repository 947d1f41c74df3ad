"""Rules on names that lead nowhere: templates, services, arguments; and on templates that cannot be combined."""

import difflib
from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests, resolve
from pipelines.lint.node import Node
from pipelines.lint.objects import TEMPLATES, Manifest, Origin, Reference, Use, argument
from pipelines.lint.values import PLACEHOLDER

_SERVICES = (
    ("canary", "canaryService"),
    ("canary", "stableService"),
    ("canary", "pingPong", "pingService"),
    ("canary", "pingPong", "pongService"),
    ("blueGreen", "activeService"),
    ("blueGreen", "previewService"),
)


def _missing(world: Manifests, kinds: tuple[str, ...], name: str) -> tuple[str, Severity]:
    """How surely a name that was not found is wrong, and how to say so."""
    there = sorted({each.name for each in world.of(*kinds)})
    near = difflib.get_close_matches(name, there, n=1, cutoff=0.8)
    hint = f"; did you mean {near[0]}?" if near else ""
    if world.complete:
        return f"is not in the built overlay{hint}", Severity.ERROR
    where = f"not found among the files read{hint}"
    return where, Severity.WARNING if near else Severity.NOTE


def _templates(world: Manifests) -> Iterator[Hit]:
    for use in world.uses:
        for reference in use.missing:
            yield _missing_template(world, use, reference)


def _missing_template(world: Manifests, use: Use, reference: Reference) -> Hit:
    other = "AnalysisTemplate" if reference.cluster else "ClusterAnalysisTemplate"
    message, severity = _missing(world, (reference.kind,), reference.name)
    if world.find(other, reference.name, near=use.owner) is not None:
        message = f"is a {other}: clusterScope must be {'false' if reference.cluster else 'true'}"
        severity = Severity.ERROR
    message = f"{reference.kind} {reference.name or '(no name)'} {message}"
    return Hit(file=use.owner.file, node=reference.node, subject=use.owner.subject, message=message, severity=severity)


def _services(world: Manifests) -> Iterator[Hit]:
    if not world.complete and not world.of("Service"):
        return
    for owner in world.of("Rollout"):
        for path in _SERVICES:
            node = owner.spec("strategy", *path)
            if node.text and "{{" not in node.text and world.find("Service", node.text, near=owner) is None:
                message, severity = _missing(world, ("Service",), node.text)
                yield Hit(
                    file=owner.file,
                    node=node,
                    subject=owner.subject,
                    message=f"{path[-1]} {node.text} {message}",
                    severity=severity,
                )


def _arguments(world: Manifests) -> Iterator[Hit]:
    for template in world.of(*TEMPLATES):
        yield from _undeclared(world, template)
    for use in world.uses:
        yield from _not_filled(use)


def _undeclared(world: Manifests, template: Manifest) -> Iterator[Hit]:
    declared = {item.at("name").text for item in template.spec("args").items}
    for use in world.uses_of(template):
        declared |= set(resolve(use))
    for _, node in template.spec("metrics").walk():
        for name in PLACEHOLDER.findall(node.text):
            if name not in declared:
                message = f"{{{{args.{name}}}}} is used and not among the template's args"
                yield Hit(file=template.file, node=node, subject=template.subject, message=message)


def _not_filled(use: Use) -> Iterator[Hit]:
    if use.missing or not use.templates:
        return
    known = resolve(use)
    for each in known.values():
        pod = each.node.at("valueFrom", "podTemplateHashValue").text
        if pod and each.origin not in (Origin.LATEST, Origin.STABLE):
            message = f"argument {each.name}: podTemplateHashValue {pod} is empty, there are Latest and Stable"
            yield Hit(file=use.owner.file, node=each.node, subject=use.owner.subject, message=message)
        elif each.origin is Origin.UNKNOWN:
            message = f"argument {each.name} of {_names(use)} has no value: neither a default nor one given here"
            yield Hit(file=use.owner.file, node=use.node, subject=use.owner.subject, message=message)
    for each in use.given:
        if each.name not in known:
            message = f"argument {each.name} is given, and none of {_names(use)} has it: it is left out silently"
            severity = Severity.WARNING
            yield Hit(
                file=use.owner.file, node=each.node, subject=use.owner.subject, message=message, severity=severity
            )


def _names(use: Use) -> str:
    return ", ".join(template.name for template in use.templates)


def _together(world: Manifests) -> Iterator[Hit]:
    for use in world.uses:
        seen: dict[str, Manifest] = {}
        defaults: dict[str, tuple[str, Manifest]] = {}
        for template in use.templates:
            for metric in template.spec("metrics").items:
                name = metric.at("name").text
                first = seen.setdefault(name, template)
                if first is not template:
                    yield _clash(use, use.node, f"metric {name} is in {first.name} and in {template.name}")
            for each in map(argument, template.spec("args").items):
                if each.origin is not Origin.LITERAL:
                    continue
                value, owner = defaults.setdefault(each.name, (each.value, template))
                if value != each.value:
                    both = f"{value!r} in {owner.name} and {each.value!r} in {template.name}"
                    yield _clash(use, use.node, f"argument {each.name} has two defaults, {both}")


def _clash(use: Use, node: Node, message: str) -> Hit:
    return Hit(file=use.owner.file, node=node, subject=use.owner.subject, message=message)


RULES = (
    Rule(
        number="ML019",
        name="template not found",
        severity=Severity.ERROR,
        reason="A Rollout whose template is missing is invalid and does not roll out; kustomize does not notice.",
        remedy="correct templateName, or clusterScope; namePrefix and nameSuffix do not reach these names",
        explain="""\
An error in a built overlay, where nothing can stand elsewhere, and where the name exists with the other scope. Among
files, a warning where a similar name was read, else a note: it may stand in another repository.""",
        check=_templates,
    ),
    Rule(
        number="ML020",
        name="service not found",
        severity=Severity.ERROR,
        reason="Without its service the canary or preview gets no traffic, and nothing to judge.",
        remedy="correct the name; namePrefix and nameSuffix do not reach it",
        explain="""\
canaryService, stableService, pingPong's two, activeService and previewService. As sure as ML019: an error in a built
overlay, among files a warning where a similar name was read, else a note; nothing where no Service was read.""",
        check=_services,
    ),
    Rule(
        number="ML021",
        name="argument leads nowhere",
        severity=Severity.ERROR,
        reason="An argument without value stops the rollout; a misspelt one leaves the default in force, silently.",
        remedy="declare it in the template's args, give it where the template is used, spell it alike",
        explain="""\
{{args.x}} that no args entry declares, and an argument without default that the Rollout does not give, make the Rollout
invalid (utils/analysis/helpers.go, ResolveArgs). An argument that is given and not declared is dropped without a word
(MergeArgs): a warning, for a threshold may be what got lost. Not reported where a template was not found.""",
        check=_arguments,
    ),
    Rule(
        number="ML022",
        name="templates cannot be combined",
        severity=Severity.ERROR,
        reason="Templates of one analysis are merged; two metrics or two defaults of one name are refused.",
        remedy="give each metric a name of its own, and shared arguments the same default",
        explain="""\
utils/analysis/helpers.go, flattenMetrics and flattenArgs: two different defaults are refused even where the Rollout
gives the argument.""",
        check=_together,
    ),
)
