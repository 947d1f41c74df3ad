"""What is told of a PromQL query without asking Prometheus."""

import pytest

from pipelines.lint.node import Node
from pipelines.lint.objects import Argument, Origin
from pipelines.lint.promql import LATEST, NotPromql, fill, read
from pipelines.lint.promql_shape import Nan

NAN = {
    "sum(rate(e_total[1m])) / sum(rate(r_total[1m]))": {Nan.RATIO},
    "1 - (sum(rate(e_total[1m])) / sum(rate(r_total[1m])))": {Nan.RATIO},
    "sum(e_total) / sum(r_total)": {Nan.RATIO},
    "sum(rate(e_total[1m])) / (sum(rate(r_total[1m])) > 0)": set(),
    "sum(rate(e_total[1m])) / (sum(rate(r_total[1m])) >= 0)": {Nan.RATIO},
    "sum(rate(e_total[1m])) / (sum(rate(r_total[1m])) > bool 0)": {Nan.RATIO},
    "sum(rate(e_total[1m])) / clamp_min(sum(rate(r_total[1m])), 1)": set(),
    "sum(rate(e_total[1m])) / (sum(rate(r_total[1m])) or vector(1))": {Nan.RATIO},
    "sum(rate(e_total[1m])) / (sum(rate(r_total[1m])) > 0 or vector(1))": set(),
    "sum(rate(e_total[1m])) / (sum(rate(r_total[1m])) + 1)": set(),
    "(sum(rate(e_total[1m])) / sum(rate(r_total[1m]))) >= 0": set(),
    "(sum(rate(e_total[1m])) / sum(rate(r_total[1m]))) and on() sum(increase(r_total[1m])) > 100": set(),
    "sum(rate(e_total[1m])) / count(up)": set(),
    "sum(rate(e_total[1m])) / 60": set(),
    "container_memory_bytes / container_memory_limit_bytes": set(),
    "histogram_quantile(0.99, sum by (le) (rate(s_bucket[1m])))": {Nan.QUANTILE},
    "histogram_quantile(0.99, sum by (le) (rate(s_bucket[1m]))) > 0": set(),
    "scalar(sum(up))": {Nan.SCALAR},
}


@pytest.mark.parametrize("query", NAN)
def test_queries_that_can_be_nan_are_known(query: str) -> None:
    assert read(query).nan == NAN[query]


SEVERAL = {
    "rate(e_total[1m])": True,
    "sum(rate(e_total[1m]))": False,
    "sum by (pod) (rate(e_total[1m]))": True,
    'sum by (app) (rate(e_total{app="shop"}[1m]))': False,
    "sum without (pod) (rate(e_total[1m]))": True,
    "max(rate(e_total[1m])) or vector(0)": False,
    "topk(1, rate(e_total[1m]))": False,
    "topk(3, rate(e_total[1m]))": True,
    "histogram_quantile(0.9, sum by (le) (rate(s_bucket[1m])))": False,
    "histogram_quantile(0.9, sum by (le, pod) (rate(s_bucket[1m])))": True,
    "histogram_quantile(0.9, rate(s_bucket[1m]))": True,
    "sum(a) / sum(b)": False,
    "a / on (pod) group_left sum(b)": True,
    "sum(a) * 100": False,
    "shop:error_ratio:rate5m": False,
    "up": True,
}


@pytest.mark.parametrize("query", SEVERAL)
def test_queries_that_answer_several_series_are_known(query: str) -> None:
    assert read(query).several is SEVERAL[query]


@pytest.mark.parametrize(
    ("query", "number"),
    [("sum(up) or vector(0)", 0), ("sum(up) or on() vector(5)", 5), ("sum(up)", None), ("(a or vector(1)) or b", 1)],
)
def test_what_no_data_is_read_as_is_known(query: str, number: float | None) -> None:
    assert read(query).fallback == number


def test_placeholders_become_what_their_place_asks_for() -> None:
    node = Node(None, 1)
    arguments = {
        "hash": Argument("hash", Origin.LATEST, "", node),
        "limit": Argument("limit", Origin.LITERAL, "0.5", node),
    }
    query = (
        'rate(a{pod=~"x-{{args.hash}}-.+",s="{{ args.service }}"}[{{args.window}}] offset {{args.ago}})'
        " > {{args.limit}} + {{args.n}}"
    )
    assert fill(query, arguments) == f'rate(a{{pod=~"x-{LATEST}-.+",s="args.service"}}[5m] offset 5m) > 0.5 + 1'


@pytest.mark.parametrize(
    "query",
    [
        "",
        "sum(",
        "a{b=}",
        "sum(rate(a[5m])",
        "SELECT 1",
        "a" * 10 + "}",
        "((" * 3000,
        "-" * 5000 + "a",
        "a or " * 1000 + "a",
    ],
)
def test_what_is_no_query_is_said_to_be_none(query: str) -> None:
    with pytest.raises(NotPromql):
        read(query)


def test_quote_in_a_comment_opens_no_text() -> None:
    query = "# the candidate's own\nsum(x) > {{args.most}} # isn't it\nand sum(y{a=\"{{args.b}}\"}) > {{args.c}}"
    assert fill(query, {}) == "# the candidate's own\nsum(x) > 1 # isn't it\nand sum(y{a=\"args.b\"}) > 1"


def test_sign_of_a_comment_in_a_text_begins_none() -> None:
    assert fill('x{a="#{{args.b}}"} > {{args.c}}', {}) == 'x{a="#args.b"} > 1'
