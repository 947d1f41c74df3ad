"""Why a gate closed or stayed undecided, for a person: what was seen and what it must be."""

import math
from collections.abc import Iterator

from pipelines.rehearsal.analysis import MetricResult
from pipelines.rehearsal.contract import Phase
from pipelines.rehearsal.expression import ExpressionError, parse
from pipelines.rehearsal.expression.tree import Binary, Call, Literal, Member, Name, Node, Unary

_MUST = {"<=": "at most", "<": "below", ">=": "at least", ">": "above", "==": "", "!=": "not"}
_MIRRORED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<", "==": "==", "!=": "!="}
_OPPOSITE = {"<=": ">", "<": ">=", ">=": "<", ">": "<=", "==": "!=", "!=": "=="}


def why(result: MetricResult) -> str:
    """One line for a metric that ended Failed, Error or Inconclusive: `error-ratio: 0.021, must be at most 0.005`."""
    metric, last = result.metric, result.last
    name, told = metric.name, f" ({last.detail})" if last and last.detail else ""
    if last is None:
        return f"{name}: was not measured"
    if result.phase is Phase.ERROR:
        return f"{name}: {result.consecutive_error} errors in a row, the last: {last.message}"
    if result.phase is Phase.INCONCLUSIVE:
        times = f"{result.count} measurement{'s' if result.count != 1 else ''}"
        return f"{name}: no decision after {times}, the last gave {shown(last.value)}{told}"
    bad = next((each for each in reversed(result.measurements) if each.phase is Phase.FAILED), last)
    if isinstance(bad.value, str) and bad.detail:  # a verdict, and why: the judge's own words say it all
        return f"{name}: {bad.detail}"
    told = f" ({bad.detail})" if bad.detail else ""
    return f"{name}: {shown(bad.value)}, must be {rule(metric.success_condition, metric.failure_condition)}{told}"


def shown(value: object) -> str:
    """A measured value, short."""
    match value:
        case tuple() | list() if len(value) == 1:
            return shown(value[0])
        case tuple() | list():
            return ", ".join(map(shown, value)) if value else "no data"
        case None:
            return "nothing"
        case bool() | str():
            return str(value)
        case float() | int():
            return "NaN" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def rule(success: str, failure: str) -> str:
    """What the conditions ask of a value, as far as comparisons with constants say it.

    Of a failure condition alone the opposite is asked, which is said in words where it compares once.
    """
    condition = success or failure
    if not condition:
        return "measured"
    try:
        limits = dict.fromkeys(_limits(parse(condition)))
    except ExpressionError:
        limits = {}
    if success and limits:
        several = len({what for what, _, _ in limits}) > 1
        return " and ".join((f"{what} " if several else "") + f"{_MUST[op]} {to}".strip() for what, op, to in limits)
    if not success and len(limits) == 1:
        ((_, operator, constant),) = limits
        return f"{_MUST[_OPPOSITE[operator]]} {constant}".strip()
    return f"such that {condition}" if success else f"such that not {condition}"


def _limits(node: Node) -> Iterator[tuple[str, str, str]]:
    """The comparisons that must all hold: what is compared, how, and with what."""
    if isinstance(node, Binary) and node.operator == "&&":
        yield from _limits(node.left)
        yield from _limits(node.right)
    elif isinstance(node, Binary) and node.operator in _MUST:
        for of, to, operator in (
            (node.left, node.right, node.operator),
            (node.right, node.left, _MIRRORED[node.operator]),
        ):
            what, constant = _path(of), _constant(to)
            if what and constant:
                yield what, operator, constant


def _path(node: Node) -> str:
    match node:
        case Name(name=name):
            return name
        case Member(of=of, key=Literal(value=key)):
            inner = _path(of)
            return (f"{inner}[{key}]" if isinstance(key, int) else f"{inner}.{key}") if inner else ""
        case Call(function="asFloat" | "asInt" | "float" | "int" | "default", arguments=(argument, *_)):
            return _path(argument)
    return ""


def _constant(node: Node) -> str:
    if isinstance(node, Unary) and node.operator == "-":
        inner = _constant(node.operand)
        return f"-{inner}" if inner else ""
    if isinstance(node, Literal) and node.value is not None:
        return str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
    return ""
