"""Does a metric look at the new version alone? Judged by the labels that its query selects and by what fills them."""

import re
from enum import StrEnum

from pipelines.lint.objects import Argument, Metric, Origin, Use, Where
from pipelines.lint.promql import LATEST, OF_EXPERIMENT, STABLE
from pipelines.lint.promql_shape import Matcher
from pipelines.lint.values import PLACEHOLDER
from pipelines.lint.verdicts import query

_HASH = re.compile(r"pod[-_]?template[-_]?hash|(^|[-_])hash$", re.IGNORECASE)
_WORD = re.compile(r"canary|preview|candidate|experiment|baseline|(^|[^a-z])green([^a-z]|$)", re.IGNORECASE)
# Names of arguments that promise the new version, where nobody here fills them.
_PROMISE = re.compile(r"hash|canary|preview|candidate|latest|version|revision|(^|[-_])tag$", re.IGNORECASE)
_OF_ARGUMENT = re.compile(r"args\.([A-Za-z0-9_.-]+)")
_NEW_FIELDS = ("spec.template.", "status.")
# Providers whose query is a text that is searched for the same signs.
TEXTS = ("datadog", "newRelic", "wavefront", "influxdb", "graphite", "cloudWatch", "skywalking")


class Choice(StrEnum):
    """Whom a query selects: the pods of the new version, the new version by a name, it depends, or everybody."""

    PODS = "pods"
    NAME = "name"
    OPEN = "open"
    NOBODY = "nobody"


def selects(metric: Metric) -> Choice:
    """Whom the metric's query selects; PODS is surest, since former pods cannot answer to it.

    A query that cannot be parsed, and one of a provider other than Prometheus, is searched as text.
    """
    found = query(metric)
    if found is None:
        choice = _in_text(metric)
        # A query that nobody could parse is not accused on top of that.
        return Choice.OPEN if choice is Choice.NOBODY and metric.provider == "prometheus" else choice
    if not found.selectors:
        return Choice.OPEN
    best = max((_rank(_of_matcher(metric, each)) for one in found.selectors for each in one), default=0)
    return max(_ORDER[best], _in_names(metric), key=_rank)


_ORDER = (Choice.NOBODY, Choice.OPEN, Choice.NAME, Choice.PODS)


def _rank(choice: Choice) -> int:
    return _ORDER.index(choice)


def _of_matcher(metric: Metric, matcher: Matcher) -> Choice:
    if matcher.operator in ("!=", "!~"):
        away = STABLE in matcher.value or "stable" in matcher.value
        return Choice.NAME if away else Choice.NOBODY
    if LATEST in matcher.value or OF_EXPERIMENT in matcher.value:
        return Choice.PODS
    if STABLE in matcher.value:
        return Choice.NOBODY
    arguments = [metric.arguments.get(name) or name for name in _OF_ARGUMENT.findall(matcher.value)]
    if _HASH.search(matcher.label):
        return Choice.PODS
    if _WORD.search(matcher.value) or _WORD.search(matcher.label) or _named(metric.use, matcher.value):
        return Choice.NAME
    return max((_of_argument(each) for each in arguments), key=_rank, default=Choice.NOBODY)


def _of_argument(argument: Argument | str) -> Choice:
    """What an argument without a known value promises."""
    name = argument if isinstance(argument, str) else argument.name
    if "hash" in name.lower():
        return Choice.PODS
    if _PROMISE.search(name):
        return Choice.NAME
    if isinstance(argument, Argument) and argument.origin is Origin.ELSEWHERE:
        path = argument.node.at("valueFrom", "fieldRef", "fieldPath").text
        return Choice.NAME if path.startswith(_NEW_FIELDS) else Choice.NOBODY
    return Choice.OPEN


def _named(use: Use | None, value: str) -> bool:
    """Whether a value begins with the name of the service that leads to the new version."""
    if use is None:
        return False
    strategy = use.owner.spec("strategy")
    services = [strategy.at("canary", "canaryService").text, strategy.at("blueGreen", "previewService").text]
    if use.where is Where.AFTER:
        # After the switch everybody is served by the new version.
        services.append(strategy.at("blueGreen", "activeService").text)
    return any(re.match(rf"[\^.*]*{re.escape(name)}($|[.:|/])", value) for name in services if name)


def _in_names(metric: Metric) -> Choice:
    """What the names of the arguments in the query promise, where their value says nothing."""
    names = PLACEHOLDER.findall(metric.node.at("provider", "prometheus", "query").text)
    return Choice.NAME if any(_WORD.search(name) for name in names) else Choice.NOBODY


def _in_text(metric: Metric) -> Choice:
    texts = [each.text for _, each in metric.node.at("provider").walk()]
    names = [name for text in texts for name in PLACEHOLDER.findall(text)]
    best = Choice.NOBODY
    for name in names:
        argument = metric.arguments.get(name)
        origin = argument.origin if argument else Origin.UNKNOWN
        if origin in (Origin.LATEST, Origin.EXPERIMENT):
            return Choice.PODS
        if origin is Origin.LITERAL and argument is not None:
            known = _WORD.search(argument.value) or _named(metric.use, argument.value) or _WORD.search(name)
            best = max(best, Choice.NAME if known else Choice.NOBODY, key=_rank)
        elif origin is not Origin.STABLE:
            best = max(best, _of_argument(argument or name), key=_rank)
    said = any(_WORD.search(text) or re.search(r"pod[-_]template[-_]hash", text) for text in texts)
    return max(best, Choice.NAME if said else Choice.NOBODY, key=_rank)
