"""Rules on the two sides of a comparison: the stable version in the canary's place, and one version on both sides."""

import re
from collections.abc import Iterator
from itertools import combinations
from textwrap import shorten

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests, resolve
from pipelines.lint.objects import Argument, Metric, Origin, Use, Where
from pipelines.lint.promql import LATEST, OF_EXPERIMENT, STABLE
from pipelines.lint.rules.limits import hit
from pipelines.lint.values import PLACEHOLDER
from pipelines.lint.verdicts import query

_NEW = re.compile(r"canary|preview|candidate|latest", re.IGNORECASE)
_OLD = re.compile(r"stable|baseline|former|previous|(^|[-_])old([-_]|$)", re.IGNORECASE)
# What stands for the former version beside a new one; after the switch alone it is the new version.
_BESIDE = re.compile(rf"{_OLD.pattern}|active|current|primary|production", re.IGNORECASE)
_LABEL = re.compile(r"pod[-_]?template[-_]?hash", re.IGNORECASE)
# What names pods; a threshold may well be the same on both sides.
_POINTS = re.compile(r"hash|address|url|uri|service|host|endpoint|target|subset|selector|^$", re.IGNORECASE)
_OF_TEMPLATE = re.compile(r"\{\{\s*templates\.([A-Za-z0-9_-]+)\.")
_STANDS = (LATEST, OF_EXPERIMENT, STABLE, "args.")


def _new(name: str) -> bool:
    return bool(_NEW.search(name)) and not _OLD.search(name)


def _old(name: str) -> bool:
    return bool(_OLD.search(name)) and not _NEW.search(name)


def _arguments(use: Use) -> list[Argument]:
    """The arguments of a use, also those of templates that were not found."""
    return list(({each.name: each for each in use.given} | resolve(use)).values())


def _at(use: Use, each: Argument, message: str) -> Hit:
    """A hit where the argument got its value: in the owner, or in a template."""
    owners = [use.owner] if any(each.node is item for item in use.node.at("args").items) else use.templates
    owner = next((one for one in owners if one is use.owner or each.node in one.spec("args").items), use.owner)
    return Hit(file=owner.file, node=each.node, subject=owner.subject, message=message)


def _another_in_its_place(world: Manifests) -> Iterator[Hit]:
    for use in world.uses:
        for each in _arguments(use):
            message = _wrong(use, each) if _new(each.name) else ""
            if message:
                yield _at(use, each, f"argument {each.name} {message}")
    for metric in world.metrics:
        for key, name in _keys(metric, Origin.STABLE):
            if _new(key):
                yield hit(metric, "provider", f"{key} is filled with {{{{args.{name}}}}}, the stable version's pods")
        if metric.use and metric.use.where is Where.AFTER and _hashes(metric) == {STABLE}:
            yield hit(metric, "provider.prometheus.query", "selects the former version's pods alone, by their hash")
        fixed = _fixed(metric)
        if fixed is not None:
            message = f"the hash is {fixed!r} in every rollout: it is not the new version's"
            yield hit(metric, "provider.prometheus.query", message)


def _wrong(use: Use, each: Argument) -> str:
    """What is wrong with the value of an argument that promises the new version; empty for nothing."""
    if _origin(use, each) is Origin.STABLE:
        return "is the stable version's hash: the canary is judged by the crowd"
    if each.origin is not Origin.LITERAL or "{{" in each.value or use.owner.kind == "Experiment":
        return ""
    if "hash" in each.name.lower():
        return f"is {each.value!r} in every rollout: no pod of a new version has that hash"
    strategy = use.owner.spec("strategy")
    former = [strategy.at("canary", "stableService").text]
    if use.where is not Where.AFTER:
        former.append(strategy.at("blueGreen", "activeService").text)
    for name in filter(None, former):
        if re.match(rf"(\w+://)?{re.escape(name)}($|[.:/])", each.value):
            return f"is {each.value!r}, the service of the stable version"
    return ""


def _origin(use: Use, each: Argument) -> Origin:
    """Where an argument comes from; that of an experiment's template is where the template's pods come from."""
    found = _OF_TEMPLATE.search(each.node.at("value").text)
    if each.origin is not Origin.EXPERIMENT or found is None:
        return each.origin
    alone = use.step is None
    owner = use.owner.spec() if alone else use.owner.spec("strategy", "canary", "steps").items[use.step or 0]
    templates = (owner if alone else owner.at("experiment")).at("templates").items
    reference = next((one.at("specRef").text for one in templates if one.at("name").text == found.group(1)), "")
    return {"stable": Origin.STABLE, "canary": Origin.LATEST}.get(reference, each.origin)


def _keys(metric: Metric, origin: Origin) -> Iterator[tuple[str, str]]:
    """The fields of a question that hold one argument of an origin, with its name."""
    for key, node in metric.node.at("provider").walk():
        found = PLACEHOLDER.fullmatch(node.text.strip())
        known = metric.arguments.get(found.group(1)) if found else None
        if known is not None and known.origin is origin:
            yield key, known.name


def _fixed(metric: Metric) -> str | None:
    """The hash that a query asks for in every rollout; None where it asks for one that is handed over."""
    values = _hashes(metric)
    if not values or any(word in value for value in values for word in _STANDS):
        return None
    if metric.use is None:
        # A template that nobody here uses may have a hash to try it with.
        return None if PLACEHOLDER.search(metric.node.at("provider", "prometheus", "query").text) else min(values)
    return None if metric.use.owner.kind == "Experiment" else min(values)


def _hashes(metric: Metric) -> set[str]:
    """The pod template hashes that a query asks for."""
    found = query(metric)
    asked = [each for one in found.selectors for each in one if _LABEL.search(each.label)] if found else []
    return {each.value for each in asked if each.operator in ("=", "=~")}


def _itself(world: Manifests) -> Iterator[Hit]:
    for use in world.uses:
        arguments = _arguments(use)
        for each in arguments:
            if _old(each.name) and _origin(use, each) is Origin.LATEST:
                message = f"argument {each.name} is the new version's hash: it is compared with itself"
                yield _at(use, each, message)
        for one, other in combinations(arguments, 2):
            if _same(one, other):
                yield _at(use, other, f"{one.name} and {other.name} are both {one.value!r}: compared with itself")
    for metric in world.metrics:
        yield from _itself_in(metric)


def _same(one: Argument, other: Argument) -> bool:
    """Whether two arguments that name the two versions lead to the same place."""
    if not (one.origin is other.origin is Origin.LITERAL) or one.value != other.value or not one.value:
        return False
    stems = {_BESIDE.sub("", _NEW.sub("", each.name)).strip("-_") for each in (one, other)}
    sides = {bool(_NEW.search(one.name)), bool(_NEW.search(other.name))}
    held = any(_BESIDE.search(each.name) and not _NEW.search(each.name) for each in (one, other))
    return len(stems) == 1 and sides == {True, False} and held and bool(_POINTS.search(stems.pop()))


def _itself_in(metric: Metric) -> Iterator[Hit]:
    for key, name in _keys(metric, Origin.LATEST):
        if _old(key):
            yield hit(metric, "provider", f"{key} is filled with {{{{args.{name}}}}}, the new version's pods")
    found = query(metric)
    if found is not None and found.itself:
        message = f"both sides of {shorten(found.itself, 100)} are the same question: the answer never changes"
        yield hit(metric, "provider.prometheus.query", message)


RULES = (
    Rule(
        number="ML033",
        name="another in the canary's place",
        severity=Severity.ERROR,
        reason="A gate that asks the stable version about the new one passes every version.",
        remedy="valueFrom: podTemplateHashValue: Latest; the name of the canary's or preview's own service",
        explain="""\
An argument, or a field of a question, that is named after the canary, preview, candidate or latest, and is filled by
podTemplateHashValue: Stable (or fieldRef status.stableRS, or an experiment's template of specRef: stable), by the name
of the Rollout's stableService or activeService, or, where it is a hash, by a fixed value; and a query whose pod
template hash is written down. A hash changes with every version (utils/hash/hash.go), so a written one is a former
version's or nobody's. Not reported: a service's name after the switch of blue-green, an Experiment that stands alone, a
name that says both versions.""",
        check=_another_in_its_place,
    ),
    Rule(
        number="ML034",
        name="compared with itself",
        severity=Severity.ERROR,
        reason="What is compared with itself is never worse: no version can fail.",
        remedy="stable-hash by podTemplateHashValue: Stable, canary-hash by Latest; an address for each of the two",
        explain="""\
An argument, or a field of a question, that is named after the stable version, a baseline or a former one, and is filled
by podTemplateHashValue: Latest; an address, service or hash that is the same for both versions; and a query whose two
sides (of -, /, %, <, >) are the same once its arguments are filled in. Not reported: x == x, which takes NaN away, and
thresholds that are alike.""",
        check=_itself,
    ),
)
