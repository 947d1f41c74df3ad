"""AnalysisTemplates become metrics as in Argo Rollouts, and what is not covered is named."""

from typing import Any

import pytest

from models.errors import ConfigError
from pipelines.rehearsal.errors import Unsupported
from pipelines.rehearsal.metric import Metric, Prometheus, Web
from pipelines.rehearsal.template import resolve, substituted, templates_in

QUERY = {"prometheus": {"address": "http://prometheus", "query": "up"}}


def _template(name: str, *metrics: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"kind": "AnalysisTemplate", "metadata": {"name": name}, "spec": {"metrics": list(metrics), **spec}}


def _one(metric: dict[str, Any], arguments: dict[str, str] | None = None, **spec: Any) -> Metric:
    (made,) = resolve(["t"], {"t": _template("t", {"name": "m", **metric}, **spec)}, arguments or {})
    return made


def test_several_templates_are_one_analysis_and_share_arguments() -> None:
    templates = {
        "a": _template("a", {"name": "x", "provider": QUERY}, args=[{"name": "model", "value": "iris"}]),
        "b": _template("b", {"name": "y {{args.model}}", "provider": QUERY}, args=[{"name": "model"}]),
    }
    made = resolve(["a", "b"], templates, {})
    assert [(each.name, each.template) for each in made] == [("x", "a"), ("y iris", "b")]


def test_templates_inside_templates_are_taken_once() -> None:
    templates = {
        "outer": _template("outer", templates=[{"templateName": "inner"}, {"templateName": "inner"}]),
        "inner": _template("inner", {"name": "x", "provider": QUERY}),
    }
    assert [each.name for each in resolve(["outer", "inner"], templates, {})] == ["x"]


def test_two_templates_that_differ_on_an_argument_are_refused() -> None:
    templates = {
        "a": _template("a", {"name": "x", "provider": QUERY}, args=[{"name": "limit", "value": "1"}]),
        "b": _template("b", {"name": "y", "provider": QUERY}, args=[{"name": "limit", "value": "2"}]),
    }
    with pytest.raises(ConfigError, match="specified multiple times with different values"):
        resolve(["a", "b"], templates, {})


def test_arguments_are_put_into_every_field() -> None:
    web = {
        "url": "{{args.address}}/judge",
        "method": "POST",
        "headers": [{"key": "X-Model", "value": "{{ args.model }}"}],
        "jsonBody": {"model": "{{args.model}}", "nested": [{"{{args.model}}": "{{args.model}} {{args.address}}"}]},
        "jsonPath": "{$.verdict}",
        "timeoutSeconds": 30,
    }
    made = _one(
        {"provider": {"web": web}, "count": "{{args.n}}", "interval": "{{args.n}}s"},
        {"address": "http://j", "model": "iris"},
        args=[{"name": "address"}, {"name": "model"}, {"name": "n", "value": "2"}],
    )
    assert made.provider == Web(
        url="http://j/judge",
        method="POST",
        headers=(("X-Model", "iris"), ("Content-Type", "application/json")),
        body='{"model": "iris", "nested": [{"iris": "iris http://j"}]}',
        json_path="{$.verdict}",
        timeout_seconds=30.0,
    )
    assert (made.count, made.interval) == (2, 2.0)


def test_prometheus_has_argos_defaults() -> None:
    assert _one({"provider": QUERY}).provider == Prometheus(address="http://prometheus", query="up")
    assert _one({"provider": QUERY}).consecutive_error_limit == 4


def test_overrides_win_by_name() -> None:
    template = _template("t", {"name": "{{args.a}}", "provider": QUERY}, args=[{"name": "a", "value": "template"}])
    (made,) = resolve(["t"], {"t": template}, {"a": "rollout"}, overrides={"a": "rehearsal", "other": "x"})
    assert made.name == "rehearsal"


def test_an_open_tag_is_refused() -> None:
    with pytest.raises(ConfigError, match="without"):
        substituted({"query": "up{a='{{args.a'}"}, {"a": "1"}, "here")


def test_templates_are_found_among_other_objects() -> None:
    template = _template("t")
    assert templates_in([{"kind": "Service", "metadata": {"name": "t"}}, template]) == {"t": template}


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ({"provider": {"job": {}}}, "provider job is not covered"),
        ({"provider": {"datadog": {}}}, "provider datadog is not covered"),
        ({"provider": {"prometheus": {**QUERY["prometheus"], "rangeQuery": {}}}}, "rangeQuery is not covered"),
        ({"provider": {"prometheus": {**QUERY["prometheus"], "authentication": {}}}}, "authentication is not covered"),
        ({"provider": {"web": {"url": "u", "authentication": {}}}}, "authentication is not covered"),
        ({"provider": QUERY, "successCondition": "median(result) < 1"}, "successCondition: the function median"),
        ({"provider": QUERY, "sucessCondition": "true"}, "sucessCondition is not covered"),
    ],
)
def test_what_is_not_covered_is_named(metric: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        _one(metric)


def test_a_secret_is_not_read() -> None:
    with pytest.raises(Unsupported, match=r"args\.token: valueFrom\.secretKeyRef is not covered"):
        _one({"provider": QUERY}, args=[{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ({"provider": {}}, "must be one provider"),
        ({"provider": {**QUERY, "web": {"url": "u"}}}, "must be one provider"),
        ({"provider": {"prometheus": {"address": "http://p"}}}, "query: missing"),
        ({"provider": {"web": {"url": "u", "body": "x"}}}, "must be POST or PUT"),
        ({"provider": {"web": {"url": "u", "method": "POST", "body": "x", "jsonBody": {}}}}, "at most one"),
        ({"provider": {"web": {"url": "u", "method": "DELETE"}}}, "must be GET, POST or PUT"),
        ({"provider": {"web": {"url": "u", "timeoutSeconds": "30"}}}, "without quotes"),
        ({"provider": QUERY, "count": "many"}, "must be a whole number"),
        ({"provider": QUERY, "interval": "2d"}, "must be a duration"),
    ],
)
def test_what_is_wrong_is_named(metric: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _one(metric)


def test_a_condition_that_is_none_is_found_out_by_measuring() -> None:
    assert _one({"provider": QUERY, "successCondition": "result >"}).success_condition == "result >"
