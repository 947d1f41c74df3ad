"""What a metric's conditions say to an answer without data and to one that is NaN: the conditions themselves are asked.

Source: Argo Rollouts 1.10, utils/evaluate/evaluate.go (EvaluateResult): without any condition a measurement is
Successful; with one alone the other is its opposite; with both, neither true is Inconclusive; one that raises is Error.
"""

import math
import re
from enum import StrEnum
from functools import lru_cache

from pipelines.lint.objects import Metric
from pipelines.lint.promql import NotPromql, Query, fill, quoted, read
from pipelines.lint.values import PLACEHOLDER
from pipelines.rehearsal.expression import ExpressionError, UnsupportedExpression, evaluate, parse
from pipelines.rehearsal.expression.tree import Binary, Call, Literal, Member, Name

CONDITIONS = ("successCondition", "failureCondition")
# Providers that judge by themselves, and do not ask the conditions.
OWN_JUDGES = ("job", "kayenta", "plugin", "")


class Outcome(StrEnum):
    """The phase of one measurement; `unknown` where the conditions cannot be evaluated here."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"
    UNKNOWN = "unknown"


def condition(metric: Metric, key: str) -> str:
    """A condition with its arguments put in; for one that is not known stands 1."""
    text = metric.text(key)
    return PLACEHOLDER.sub(lambda match: match.group(1) if quoted(text[: match.start()]) else "1", text)


def query(metric: Metric) -> Query | None:
    """What a Prometheus metric asks for; None for another provider, and where it cannot be parsed."""
    if metric.provider != "prometheus":
        return None
    try:
        return parsed(metric)
    except NotPromql:
        return None


def parsed(metric: Metric) -> Query:
    """The Prometheus query of a metric.

    Raises:
        NotPromql: it cannot be parsed.
    """
    return _read(fill(metric.node.at("provider", "prometheus", "query").text, metric.arguments))


@lru_cache(maxsize=4096)
def _read(text: str) -> Query:
    return read(text)


def on_nothing(metric: Metric) -> Outcome:
    """The phase of a measurement that found no data; unknown for a provider whose answer has no such form."""
    found = query(metric)
    if found is not None and found.fallback is not None:
        return judge(metric, found.fallback if found.scalar else (found.fallback,))
    if metric.provider in ("prometheus", "graphite"):
        return Outcome.UNKNOWN if found is not None and found.scalar else judge(metric, ())
    return judge(metric, None) if metric.provider == "datadog" else Outcome.UNKNOWN


def on_nan(metric: Metric) -> Outcome:
    """The phase of a measurement that is NaN; unknown for a provider that is not known to answer it."""
    if metric.provider != "prometheus":
        return Outcome.UNKNOWN
    found = query(metric)
    return judge(metric, math.nan if found is not None and found.scalar else (math.nan,))


def misfits(metric: Metric) -> bool:
    """Whether the conditions raise for every number in the form in which the provider answers."""
    if metric.provider not in ("prometheus", "datadog") or not any(condition(metric, key) for key in CONDITIONS):
        return False
    found = query(metric)
    alone = metric.provider == "datadog" or (found is not None and found.scalar)
    # Ten of each: conditions may ask for more than one series.
    outcomes = {judge(metric, number if alone else (number,) * 10) for number in (0.0, 0.5, 1000.0)}
    return outcomes == {Outcome.ERROR}


def judge(metric: Metric, result: float | tuple[float, ...] | None) -> Outcome:
    """The phase of a measurement with this result."""
    return _outcome(condition(metric, "successCondition"), condition(metric, "failureCondition"), result)


def decide(metric: Metric, result: object) -> Outcome:
    """The phase of a measurement with any result, words and objects too."""
    return _decided(condition(metric, "successCondition"), condition(metric, "failureCondition"), result)


@lru_cache(maxsize=4096)
def _outcome(success: str, failure: str, result: float | tuple[float, ...] | None) -> Outcome:
    return _decided(success, failure, result)


def _decided(success: str, failure: str, result: object) -> Outcome:
    holds = []
    for text in (success, failure):
        try:
            holds.append(evaluate(text, result) if text else None)
        except UnsupportedExpression:
            return Outcome.UNKNOWN
        except ExpressionError:
            # One that is none at all has a rule of its own.
            return Outcome.UNKNOWN if problem(text) else Outcome.ERROR
    succeeds, fails = holds
    if succeeds is None and fails is None:
        return Outcome.SUCCESSFUL
    if fails if fails is not None else not succeeds:
        return Outcome.FAILED
    return Outcome.SUCCESSFUL if succeeds is not False else Outcome.INCONCLUSIVE


def problem(text: str) -> ExpressionError | None:
    """Why a condition cannot be read."""
    try:
        parse(text)
    except ExpressionError as err:
        return err
    return None


def first_only(metric: Metric) -> bool:
    """Whether the conditions look at `result[0]` and at no other element nor at the length beyond "is there one"."""
    looked = False
    for key in CONDITIONS:
        text = condition(metric, key)
        if not text or problem(text):
            continue
        for part in parse(text).walk():
            match part:
                case Call(function=("all" | "any" | "none" | "one" | "filter" | "map" | "count" | "sum" | "max")):
                    return False
                case Binary(operator="==", left=Call(function="len"), right=Literal(value=1)):
                    return False
                case Member(of=Name(), key=Literal(value=int(place))):
                    looked = looked or place == 0
                    if place:
                        return False
    return looked


def compares(metric: Metric) -> bool:
    """Whether a condition compares by size: then the result is a measured number and no word like "pass"."""
    return any(re.search(r"[<>]", metric.node.at(key).text) for key in CONDITIONS)
