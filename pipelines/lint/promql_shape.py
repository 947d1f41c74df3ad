"""The shape of a PromQL tree: its selectors, when it answers NaN, whether it gives one number or several series."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import promql_parser as promql

_OPERATORS = ((promql.MatchOp.NotEqual, "!="), (promql.MatchOp.Re, "=~"), (promql.MatchOp.NotRe, "!~"))


class Nan(StrEnum):
    """Why a query can answer NaN."""

    RATIO = "a ratio whose denominator can be 0"
    QUANTILE = "a quantile of a histogram without observations"
    SCALAR = "scalar() of an empty vector"


@dataclass(frozen=True)
class Matcher:
    """A label matcher of a selector."""

    label: str
    operator: str
    value: str


def children(node: promql.Expr) -> list[promql.Expr]:
    match node:
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return [each for each in node.args if isinstance(each, promql.Expr)]
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
        case promql.MatrixSelector():
            return [node.vector_selector]
    return []


def below(node: promql.Expr) -> Iterator[promql.Expr]:
    yield node
    for child in children(node):
        yield from below(child)


def selectors(node: promql.Expr) -> Iterator[tuple[Matcher, ...]]:
    for each in below(node):
        if isinstance(each, promql.VectorSelector):
            groups = [each.matchers.matchers, *each.matchers.or_matchers]
            matchers = [Matcher(one.name, _operator(one), one.value) for group in groups for one in group]
            yield (Matcher("__name__", "=", each.name or ""), *matchers)


def _operator(matcher: promql.Matcher) -> str:
    # the parser's enumeration cannot be hashed
    for kind, written in _OPERATORS:
        if matcher.op == kind:
            return written
    return "="


def _number(node: promql.Expr) -> float | None:
    match node:
        case promql.NumberLiteral():
            return node.val
        case promql.ParenExpr():
            return _number(node.expr)
        case promql.UnaryExpr():
            inner = _number(node.expr)
            return None if inner is None else -inner
        case promql.Call() if node.func.name == "vector" and node.args:
            return _number(node.args[0])
    return None


_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_COUNTS = ("count", "group", "count_values")
_SCALARS = ("scalar", "time", "pi")
# Functions over a window whose answer is 0 where nothing happened.
_MAY_BE_NOTHING = (
    "rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "sum_over_time", "histogram_count",
    "histogram_sum", "histogram_avg",
)  # fmt: skip
_COUNTER = re.compile(r".*(_total|_count|_sum|_bucket)$")


def _filters(node: promql.Expr) -> bool:
    return isinstance(node, promql.BinaryExpr) and str(node.op) in _COMPARISONS and not _returns_bool(node)


def _returns_bool(node: promql.BinaryExpr) -> bool:
    return node.modifier is not None and node.modifier.return_bool


def nan(node: promql.Expr) -> set[Nan]:
    match node:
        case promql.BinaryExpr():
            operator = str(node.op)
            # A comparison drops NaN, or answers 0 for it; `and` and `unless` name the samples that may count.
            if operator in (*_COMPARISONS, "and", "unless"):
                return set()
            found = nan(node.lhs) | nan(node.rhs)
            return found | ({Nan.RATIO} if operator in ("/", "%") and _may_be_zero(node.rhs) else set())
        case promql.AggregateExpr() if str(node.op) in _COUNTS:
            return set()
        case promql.Call() if node.func.name == "histogram_quantile":
            return set() if _filtered(node) else {Nan.QUANTILE}
        case promql.Call() if node.func.name == "scalar":
            return {Nan.SCALAR} | nan(node.args[0]) if _number(node.args[0]) is None else set()
        case promql.Call() if node.func.name in ("absent", "absent_over_time", "count_over_time"):
            return set()
    return set().union(*map(nan, children(node)))


def _filtered(node: promql.Expr) -> bool:
    """Whether a comparison anywhere below takes away the series without observations."""
    return any(_filters(each) for each in below(node))


def _may_be_zero(node: promql.Expr) -> bool:
    number = _number(node)
    if number is not None:
        return number == 0
    match node:
        case promql.BinaryExpr():
            return _binary_may_be_zero(node)
        case promql.AggregateExpr() if str(node.op) in _COUNTS:
            return False
        case promql.Call() if node.func.name in ("clamp_min", "clamp"):
            least = _number(node.args[1])
            return least is not None and least <= 0
        case promql.Call() if node.func.name in ("count_over_time", "time", "timestamp"):
            return False
        case promql.Call() if node.func.name in _MAY_BE_NOTHING:
            return True
        case promql.VectorSelector():
            return bool(_COUNTER.match(node.name or ""))
    return any(map(_may_be_zero, children(node)))


def _binary_may_be_zero(node: promql.BinaryExpr) -> bool:
    operator, bound = str(node.op), _number(node.rhs)
    if operator in ("and", "unless"):
        return False
    if operator in _COMPARISONS:
        if _returns_bool(node):
            return True
        if bound is None:
            return _may_be_zero(node.lhs)
        above = (operator == ">" and bound >= 0) or (operator == ">=" and bound > 0)
        return not (above or (operator == "!=" and bound == 0) or (operator == "==" and bound != 0))
    if operator in ("or", "*"):
        return _may_be_zero(node.lhs) or _may_be_zero(node.rhs)
    if operator == "+":
        return _may_be_zero(node.lhs) and _may_be_zero(node.rhs)
    return True if operator == "-" else _may_be_zero(node.lhs)


def scalar(node: promql.Expr) -> bool:
    match node:
        case promql.NumberLiteral():
            return True
        case promql.ParenExpr() | promql.UnaryExpr():
            return scalar(node.expr)
        case promql.Call():
            return node.func.name in _SCALARS
        case promql.BinaryExpr():
            return scalar(node.lhs) and scalar(node.rhs)
    return False


def several(node: promql.Expr, without: frozenset[str]) -> bool:
    """Whether a vector may hold more than one series, labels in `without` aside."""
    match node:
        case promql.AggregateExpr():
            return _aggregate_several(node, without)
        case promql.Call() if node.func.name in (*_SCALARS, "vector", "absent", "absent_over_time"):
            return False
        case promql.Call() if node.func.name.startswith("histogram_"):
            return any(several(each, without | {"le"}) for each in children(node))
        case promql.BinaryExpr():
            return _binary_several(node, without)
        case promql.VectorSelector():
            # `level:metric:operation` is the name of a recording rule, which has most often aggregated.
            return ":" not in (node.name or "")
    return any(several(each, without) for each in children(node))


def _aggregate_several(node: promql.AggregateExpr, without: frozenset[str]) -> bool:
    operator = str(node.op)
    if operator in ("topk", "bottomk", "limitk"):
        return node.param is not None and _number(node.param) != 1 and several(node.expr, without)
    if operator == "count_values":
        return True
    if node.modifier is None:
        return False
    if node.modifier.type != promql.AggModifierType.By:
        return several(node.expr, without)
    fixed = [{one.label for one in matchers if one.operator == "="} for matchers in selectors(node.expr)]
    free = [label for label in node.modifier.labels if label not in without]
    return any(label not in each for label in free for each in fixed)


def _binary_several(node: promql.BinaryExpr, without: frozenset[str]) -> bool:
    left, right, operator = node.lhs, node.rhs, str(node.op)
    if operator in ("and", "unless"):
        return several(left, without)
    if operator == "or":
        return several(left, without) or several(right, without)
    if _number(left) is not None or scalar(left):
        return several(right, without)
    if _number(right) is not None or scalar(right):
        return several(left, without)
    if node.modifier is not None and node.modifier.card != promql.VectorMatchCardinality.OneToOne:
        return several(left, without) or several(right, without)
    return several(left, without) and several(right, without)


def fallback(node: promql.Expr) -> float | None:
    """The number that the query answers where there is no data at all, as by `or vector(0)`; None where it is empty."""
    number = _number(node)
    if number is not None:
        return number
    match node:
        case promql.BinaryExpr() if str(node.op) == "or":
            left = fallback(node.lhs)
            return fallback(node.rhs) if left is None else left
        case promql.ParenExpr():
            return fallback(node.expr)
        case promql.AggregateExpr() if str(node.op) in ("sum", "min", "max", "avg"):
            return fallback(node.expr)
    return None
