"""PromQL over series in memory, for the subset that the AnalysisTemplates use. The rest is refused by name.

The parser is Prometheus' own grammar (promql-parser); what an expression means is held against a real Prometheus 2.42
by the tests. One difference to Prometheus 3: there a range leaves out a sample that lies exactly on its start.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import promql_parser as parser

from models.errors import ConfigError
from pipelines.rehearsal.simulate.aggregation import AGGREGATIONS, aggregate
from pipelines.rehearsal.simulate.functions import CALLS, Value, number_of, vector_of
from pipelines.rehearsal.simulate.operators import (
    ARITHMETIC,
    COMPARISON,
    SETS,
    Matching,
    QueryError,
    Vector,
    nameless,
    numbers,
    sets,
    unique,
    vectors,
    with_number,
)
from pipelines.rehearsal.simulate.over_time import FUNCTIONS, KEEPS_NAME, WITH_NUMBER, Range
from pipelines.rehearsal.simulate.series import NAME, Database, Labels, Matcher

__all__ = ["QueryError", "query"]

Plan = Callable[[Database, int], Value]

_CARDS = {"OneToOne": "one-to-one", "ManyToOne": "many-to-one", "OneToMany": "one-to-many"}
_OPS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def query(database: Database, text: str, time_seconds: float) -> Value:
    """What an instant query answers: samples with labels, or a number.

    Raises:
        ConfigError: not PromQL, or a part of it that is not covered here.
        QueryError: Prometheus would answer with an error.
    """
    return plan(text)(database, round(time_seconds * 1000))


@lru_cache(maxsize=1024)
def plan(text: str) -> Plan:
    """The query as a function of the series and the time in milliseconds.

    Raises:
        ConfigError: not PromQL, or a part of it that is not covered here.
    """
    try:
        return _plan(parser.parse(text))
    except ValueError as err:
        raise ConfigError([f"query {text!r}: is no PromQL ({err}); mend it"]) from err


def _plan(node: Any) -> Plan:
    match type(node).__name__:
        case "NumberLiteral":
            number = node.val
            return lambda database, at: number
        case "ParenExpr":
            return _plan(node.expr)
        case "VectorSelector":
            return _selector(node)
        case "UnaryExpr":  # the parser knows minus alone
            return _negated(_plan(node.expr))
        case "AggregateExpr":
            return _aggregate(node)
        case "BinaryExpr":
            return _binary(node)
        case "Call":
            return _call(node)
    raise _refused(type(node).__name__)


def _refused(what: str) -> ConfigError:
    return ConfigError([f"PromQL: {what} is not covered by the simulator; use what it covers or extend {__name__}"])


def _last(member: object) -> str:
    """The name of a member of one of the parser's enumerations, which are no Python enumerations."""
    return str(member).rsplit(".", 1)[-1]


def _matchers(node: Any) -> tuple[str, tuple[Matcher, ...], int]:
    """Name, matchers and offset in milliseconds of a selector."""
    if node.at is not None:
        raise _refused("the modifier @")
    if node.matchers.or_matchers:
        raise _refused("`or` between label matchers")
    found = tuple(Matcher(each.name, _OPS[_last(each.op)], each.value) for each in node.matchers.matchers)
    name = node.name or next((each.value for each in found if each.label == NAME and each.op == "="), None)
    if name is None:
        raise _refused("a selector without a metric's name")
    return name, found, round(node.offset.total_seconds() * 1000) if node.offset else 0


def _selector(node: Any, *, timestamps: bool = False) -> Plan:
    name, matchers, offset = _matchers(node)

    def run(database: Database, at: int) -> Value:
        found: Vector = []
        for series in database.select(name, matchers):
            sample = series.at(at - offset)
            if sample is not None:
                found.append((series.labels, sample[0] / 1000 if timestamps else sample[1]))
        return found

    return run


def _ranges(node: Any) -> Callable[[Database, int], list[tuple[Labels, Range]]]:
    if type(node).__name__ != "MatrixSelector":
        raise _refused("a subquery")
    name, matchers, offset = _matchers(node.vector_selector)
    width = round(node.range.total_seconds() * 1000)

    def run(database: Database, at: int) -> list[tuple[Labels, Range]]:
        found: list[tuple[Labels, Range]] = []
        start, end = at - offset - width, at - offset
        for series in database.select(name, matchers):
            times, values = series.between(start, end)
            if times:
                found.append((series.labels, Range(times, values, start, end, at)))
        return found

    return run


def _negated(inner: Plan) -> Plan:
    def run(database: Database, at: int) -> Value:
        value = inner(database, at)
        return -value if isinstance(value, float) else unique([(nameless(labels), -each) for labels, each in value])

    return run


def _aggregate(node: Any) -> Plan:
    op = str(node.op)
    if op not in AGGREGATIONS:
        raise _refused(f"the aggregation {op}")
    inner, modifier = _plan(node.expr), node.modifier
    labels = tuple(modifier.labels) if modifier else ()
    without = bool(modifier) and _last(modifier.type) == "Without"

    def run(database: Database, at: int) -> Value:
        return aggregate(op, vector_of(inner(database, at)), labels, without=without)

    return run


def _matching(modifier: Any) -> Matching:
    if modifier is None:
        return Matching()
    matching, card = modifier.matching, _last(modifier.card)
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise _refused("the modifier fill")
    return Matching(
        on=matching is not None and _last(matching.type) == "Include",
        labels=tuple(matching.labels) if matching else (),
        card=_CARDS.get(card, "one-to-one"),
        include=tuple(modifier.group_labels or ()),
    )


def _binary(node: Any) -> Plan:
    op, matching = str(node.op), _matching(node.modifier)
    if op not in (*ARITHMETIC, *COMPARISON, *SETS):
        raise _refused(f"the operator {op}")
    as_bool = node.modifier is not None and node.modifier.return_bool
    left_plan, right_plan = _plan(node.lhs), _plan(node.rhs)

    def run(database: Database, at: int) -> Value:
        left, right = left_plan(database, at), right_plan(database, at)
        if isinstance(left, float):
            if isinstance(right, float):
                return numbers(op, left, right)
            return with_number(op, right, left, swapped=True, as_bool=as_bool)
        if isinstance(right, float):
            return with_number(op, left, right, swapped=False, as_bool=as_bool)
        if op in SETS:
            return sets(op, left, right, matching)
        return vectors(op, left, right, matching, as_bool=as_bool)

    return run


def _call(node: Any) -> Plan:
    name, args = node.func.name, list(node.args)
    if name in FUNCTIONS or name in WITH_NUMBER:
        return _over_time(name, args)
    if name == "timestamp" and args and type(args[0]).__name__ == "VectorSelector":
        selector = _selector(args[0], timestamps=True)
        return lambda database, at: [(nameless(labels), value) for labels, value in vector_of(selector(database, at))]
    if name not in CALLS:
        raise _refused(f"the function {name}")
    if name == "absent":
        return _absent(args[0])
    function, plans = CALLS[name], [_plan(arg) for arg in args]
    return lambda database, at: function(at / 1000, *(each(database, at) for each in plans))


def _over_time(name: str, args: list[Any]) -> Plan:
    ranges = _ranges(args[0])
    number = _plan(args[1]) if name in WITH_NUMBER else None

    def run(database: Database, at: int) -> Value:
        found: Vector = []
        for labels, window in ranges(database, at):
            if number is None:
                value = FUNCTIONS[name](window)
            else:
                value = WITH_NUMBER[name](window, number_of(number(database, at)))
            if value is not None:
                found.append((labels if name in KEEPS_NAME else nameless(labels), value))
        return unique(found)

    return run


def _absent(arg: Any) -> Plan:
    inner = _plan(arg)
    labels: dict[str, str] = {}
    if type(arg).__name__ == "VectorSelector":
        matchers = _matchers(arg)[1]
        names = [each.label for each in matchers]
        labels = {m.label: m.value for m in matchers if m.op == "=" and names.count(m.label) == 1 and m.label != NAME}
    return lambda database, at: [] if inner(database, at) else [(labels, 1.0)]
