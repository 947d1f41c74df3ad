"""AnalysisTemplates to metrics with nothing left to resolve, merged and checked as Argo Rollouts 1.10 does.

Covered: several templates in one analysis and templates inside templates; arguments with a value or a default;
`{{args.name}}` in every field of a metric; the providers prometheus and web; dryRun. What is not covered is refused by
its name, before anything runs.

Source: argo-rollouts v1.10.0, utils/analysis/{helpers,factory}.go, utils/template/template.go.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.errors import ConfigError
from pipelines.rehearsal.errors import Unsupported
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.metric_fields import metric_of

Document = Mapping[str, Any]

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_SPEC = frozenset(("args", "metrics", "dryRun", "measurementRetention", "templates"))


def templates_in(documents: Iterable[Document]) -> dict[str, Document]:
    """The AnalysisTemplates of a built overlay, by name."""
    return {each["metadata"]["name"]: each for each in documents if each.get("kind") == "AnalysisTemplate"}


def resolve(
    names: Sequence[str],
    templates: Mapping[str, Document],
    arguments: Mapping[str, str],
    *,
    overrides: Mapping[str, str] | None = None,
    dry_run: Sequence[str] = (),
    ends: bool = False,
) -> tuple[Metric, ...]:
    """The metrics of one analysis.

    Args:
        names: the templates that the Rollout's analysis names.
        templates: all that there are, by name.
        arguments: values that the Rollout passes; one that no template declares is ignored, as Argo does.
        overrides: values by argument name that win over all others (other addresses for the same questions).
        dry_run: patterns of the Rollout's own `dryRun`.
        ends: whether the Rollout waits for its end, so that a metric without one is refused.

    Raises:
        ConfigError: a template is missing, two metrics share a name, an argument has no value, a field is wrong.
        Unsupported: something is not covered.
    """
    chosen = _chosen(names, templates)
    values = _arguments(chosen, {**arguments, **(overrides or {})})
    found: dict[str, Metric] = {}
    for template in chosen:
        name = template["metadata"]["name"]
        if ends:
            _refuse_endless(template)
        for metric in template["spec"].get("metrics") or ():
            made = metric_of(substituted(metric, values, f"AnalysisTemplate {name}"), template=name)
            if made.name in found:
                raise ConfigError([f"AnalysisTemplate {name}: two metrics have the same name {made.name!r}"])
            found[made.name] = made
    if not found:
        raise ConfigError([f"analysis of {', '.join(names)}: no metrics specified"])
    return _marked(found, [*dry_run, *_patterns(chosen)])


def substituted(value: Any, arguments: Mapping[str, str], where: str) -> Any:
    """The value with `{{args.name}}` replaced in every string inside it, keys too.

    Raises:
        ConfigError: a tag names no argument, or has no end.
    """
    match value:
        case str():
            return _replaced(value, arguments, where) if "{{" in value else value
        case list():
            return [substituted(each, arguments, where) for each in value]
        case dict():
            return {
                substituted(key, arguments, where): substituted(each, arguments, where) for key, each in value.items()
            }
    return value


def _replaced(text: str, arguments: Mapping[str, str], where: str) -> str:
    def replacement(tag: re.Match[str]) -> str:
        name = tag.group(1).strip()
        value = arguments.get(name.removeprefix("args.")) if name.startswith("args.") else None
        if value is None:
            raise ConfigError([f"{where}: failed to resolve {tag.group()}, must name one of {', '.join(arguments)}"])
        return value

    if "{{" in _TAG.sub("", text):
        raise ConfigError([f"{where}: {text!r} has '{{{{' without '}}}}'"])
    return _TAG.sub(replacement, text)


def _chosen(names: Sequence[str], templates: Mapping[str, Document]) -> list[Document]:
    found: dict[str, Document] = {}
    for name in names:
        if name not in templates:
            raise ConfigError(
                [f"AnalysisTemplate {name}: not found, there are {', '.join(sorted(templates)) or 'none'}"]
            )
        template = templates[name]
        spec = template.get("spec") or {}
        for unknown in sorted(spec.keys() - _SPEC):
            raise Unsupported([f"AnalysisTemplate {name}: spec.{unknown} is not covered"])
        found.setdefault(name, template)
        for each in _chosen(template_names(spec.get("templates") or (), f"AnalysisTemplate {name}"), templates):
            found.setdefault(each["metadata"]["name"], each)
    return list(found.values())


def template_names(references: Iterable[Document], where: str) -> list[str]:
    """The names in a list of `templateName` references.

    Raises:
        Unsupported: one is of the whole cluster.
    """
    names = []
    for each in references:
        if each.get("clusterScope"):
            raise Unsupported(
                [f"{where}: clusterScope (ClusterAnalysisTemplate {each['templateName']}) is not covered"]
            )
        names.append(each["templateName"])
    return names


def _arguments(templates: Sequence[Document], given: Mapping[str, str]) -> dict[str, str]:
    declared: dict[str, str | None] = {}
    for template in templates:
        for argument in template["spec"].get("args") or ():
            name, where = argument["name"], f"AnalysisTemplate {template['metadata']['name']}: args.{argument['name']}"
            if argument.get("valueFrom") is not None and name not in given:
                source = next(iter(argument["valueFrom"]), "")
                raise Unsupported([f"{where}: valueFrom.{source} is not covered; a secret is not read here"])
            value = argument.get("value")
            if value is not None and not isinstance(value, str):
                raise ConfigError([f"{where}: got {value!r}, must be a string in quotes"])
            before = declared.get(name)
            if before is not None and value is not None and before != value:
                raise ConfigError([f"{where}: specified multiple times with different values: {before!r}, {value!r}"])
            declared[name] = before if before is not None else value
    values = {name: given.get(name, value) for name, value in declared.items()}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise ConfigError([f"args.{name} was not resolved: give it a value in the Rollout" for name in missing])
    return {name: value for name, value in values.items() if value is not None}


def _refuse_endless(template: Document) -> None:
    """Argo Rollouts looks for a count when the Rollout comes, and sees the template's own values alone then."""
    name, spec = template["metadata"]["name"], template["spec"]
    known = {each["name"]: each["value"] for each in spec.get("args") or () if each.get("value") is not None}
    for metric in spec.get("metrics") or ():
        tag = _TAG.fullmatch(str(metric.get("count", "")))
        count = str(known.get(tag.group(1).strip().removeprefix("args.")) if tag else metric.get("count"))
        if metric.get("interval") and not re.fullmatch(r"[+-]?0*[1-9]\d*", count):
            rule = "must have a count for the Rollout to go on; an argument in it needs a value in the template itself"
            raise ConfigError([f"AnalysisTemplate {name}: metric {metric['name']} runs indefinitely: {rule}"])


def _patterns(templates: Sequence[Document]) -> list[str]:
    return [each["metricName"] for template in templates for each in template["spec"].get("dryRun") or ()]


def _marked(metrics: Mapping[str, Metric], patterns: Sequence[str]) -> tuple[Metric, ...]:
    if len(set(patterns)) != len(patterns):
        raise ConfigError([f"dryRun: two rules have the same name among {', '.join(patterns)}"])
    dry: set[str] = set()
    for pattern in patterns:
        matched = {name for name in metrics if re.search(pattern, name)}
        if not matched:
            raise ConfigError([f"dryRun: rule {pattern!r} matches no metric of {', '.join(metrics)}"])
        dry |= matched
    return tuple(replace(each, dry_run=True) if each.name in dry else each for each in metrics.values())
