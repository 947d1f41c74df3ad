"""A metric's YAML, arguments already put in, to a `Metric`: every field known or refused by its name, limits checked.

Source: argo-rollouts v1.10.0, utils/analysis/factory.go (ValidateMetric), metricproviders/{prometheus,webmetric}.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from models.errors import ConfigError
from pipelines.rehearsal import duration
from pipelines.rehearsal.errors import Unsupported
from pipelines.rehearsal.expression import ExpressionError, UnsupportedExpression, parse
from pipelines.rehearsal.metric import Metric, Prometheus, Web

_LIMITS = ("count", "failureLimit", "inconclusiveLimit", "consecutiveErrorLimit", "consecutiveSuccessLimit")
_FIELDS = frozenset(("name", "provider", "interval", "initialDelay", "successCondition", "failureCondition", *_LIMITS))
_PROMETHEUS = frozenset(("address", "query", "timeout", "insecure", "headers"))
_WEB = frozenset(("url", "method", "headers", "body", "jsonBody", "jsonPath", "timeoutSeconds", "insecure"))


def metric_of(fields: Mapping[str, Any], *, template: str) -> Metric:
    """The metric that these fields declare.

    Raises:
        ConfigError: a value is wrong, or the limits contradict each other.
        Unsupported: a provider, a field or a part of a condition is not covered.
    """
    where = f"AnalysisTemplate {template}: metric {fields.get('name')!r}"
    _known(fields, _FIELDS, where)
    interval, delay = fields.get("interval"), fields.get("initialDelay")
    limits = {name: _whole(fields.get(name), f"{where}: {name}") for name in _LIMITS}
    errors, success = limits["consecutiveErrorLimit"], limits["consecutiveSuccessLimit"]
    metric = Metric(
        name=str(fields["name"]),
        template=template,
        provider=_provider(fields.get("provider") or {}, where),
        success_condition=_condition(fields.get("successCondition"), f"{where}: successCondition"),
        failure_condition=_condition(fields.get("failureCondition"), f"{where}: failureCondition"),
        initial_delay=duration.seconds(delay, f"{where}: initialDelay") if delay else 0.0,
        interval=duration.seconds(interval, f"{where}: interval") if interval else None,
        count=limits["count"] or None,
        failure_limit=limits["failureLimit"] or 0,
        inconclusive_limit=limits["inconclusiveLimit"] or 0,
        consecutive_error_limit=4 if errors is None else errors,
        consecutive_success_limit=success or 0,
    )
    problems = [f"{where}: {problem}" for problem in _contradictions(metric)]
    if problems:
        raise ConfigError(problems)
    return metric


def _contradictions(metric: Metric) -> list[str]:
    count, failures, successes = metric.count or 0, metric.failure_limit, metric.consecutive_success_limit
    problems = {
        "consecutiveSuccessLimit must be >= 0": successes < 0,
        "failureLimit must be >= 0, or -1 to be disabled": failures < -1,
        "failureLimit and consecutiveSuccessLimit cannot both be disabled": successes == 0 and failures == -1,
        "inconclusiveLimit must be >= 0": metric.inconclusive_limit < 0,
        "consecutiveErrorLimit must be >= 0": metric.consecutive_error_limit < 0,
        f"count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failures} + {successes})": count > 0
        and failures >= 0
        and count < failures + successes,
        "count must be >= consecutiveSuccessLimit": count > 0 and failures < 0 and count < successes,
        "count must be >= inconclusiveLimit": 0 < count < metric.inconclusive_limit,
        "interval must be specified when count > 1": count > 1 and metric.interval is None,
    }
    return [problem for problem, found in problems.items() if found]


def _provider(fields: Mapping[str, Any], where: str) -> Prometheus | Web:
    if len(fields) != 1:
        raise ConfigError([f"{where}: provider names {', '.join(fields) or 'nothing'}, must be one provider"])
    (name, given), *_ = fields.items()
    if name == "prometheus":
        return _prometheus(given, f"{where}: prometheus")
    if name == "web":
        return _web(given, f"{where}: web")
    raise Unsupported([f"{where}: provider {name} is not covered, only prometheus and web"])


def _prometheus(fields: Mapping[str, Any], where: str) -> Prometheus:
    _known(fields, _PROMETHEUS, where)
    for name in ("address", "query"):
        if not fields.get(name):
            raise ConfigError([f"{where}.{name}: missing"])
    return Prometheus(
        address=fields["address"],
        query=fields["query"],
        timeout_seconds=float(_seconds(fields.get("timeout"), f"{where}.timeout", 30)),
        headers=_headers(fields),
        insecure=bool(fields.get("insecure")),
    )


def _web(fields: Mapping[str, Any], where: str) -> Web:
    _known(fields, _WEB, where)
    if not fields.get("url"):
        raise ConfigError([f"{where}.url: missing"])
    method, text, document = fields.get("method") or "GET", fields.get("body"), fields.get("jsonBody")
    if method not in ("GET", "POST", "PUT"):
        raise ConfigError([f"{where}.method: got {method!r}, must be GET, POST or PUT"])
    if text and document is not None:
        raise ConfigError([f"{where}: has body and jsonBody, must have at most one"])
    if (text or document is not None) and method == "GET":
        raise ConfigError([f"{where}: body or jsonBody with method GET, must be POST or PUT"])
    headers = _headers(fields)
    if document is not None:
        headers = (
            *(each for each in headers if each[0].lower() != "content-type"),
            ("Content-Type", "application/json"),
        )
        text = json.dumps(document, sort_keys=True)
    return Web(
        url=fields["url"],
        method=method,
        headers=headers,
        body=text or None,
        json_path=fields.get("jsonPath") or "{$}",
        timeout_seconds=float(_seconds(fields.get("timeoutSeconds"), f"{where}.timeoutSeconds", 10)),
        insecure=bool(fields.get("insecure")),
    )


def _headers(fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((each["key"], each["value"]) for each in fields.get("headers") or ())


def _condition(text: object, where: str) -> str:
    condition = "" if text is None else str(text)
    try:
        if condition:
            parse(condition)
    except UnsupportedExpression as error:
        raise Unsupported([f"{where}: {error}"]) from None
    except ExpressionError:
        pass  # Argo Rollouts finds out when it measures: so does the rehearsal
    return condition


def _known(fields: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise Unsupported([f"{where}: {name} is not covered" for name in unknown])


def _whole(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    raise ConfigError([f"{where}: got {value!r}, must be a whole number"])


def _seconds(value: object, where: str, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError([f"{where}: got {value!r}, must be whole seconds without quotes"])
    return value or default
