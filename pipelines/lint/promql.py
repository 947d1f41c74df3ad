"""What can be told of a PromQL query without asking Prometheus: whom it selects, when it gives NaN, how many series.

Arguments whose value is not known are replaced by what could stand there, so that the query parses.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import promql_parser as promql

from pipelines.lint.objects import Argument, Origin
from pipelines.lint.promql_shape import Matcher, Nan, below, fallback, nan, scalar, selectors, several
from pipelines.lint.values import PLACEHOLDER

LATEST, STABLE, OF_EXPERIMENT = "latest-hash-of-the-rollout", "stable-hash-of-the-rollout", "hash-of-the-experiment"
_STANDS_FOR = {Origin.LATEST: LATEST, Origin.STABLE: STABLE, Origin.EXPERIMENT: OF_EXPERIMENT}
_DURATION_BEFORE = re.compile(r"(\[\s*|\[[^\]\"']*:\s*|\boffset\s+-?)$")


# A gate's query is read by people; what is larger would cost the parser more than time.
LONGEST = 6_000
DEEPEST = 60
MOST_OPERATORS = 500
# `x == x` is a way to take NaN away, and compares nothing.
_COMPARE = ("-", "/", "%", "<", ">", "<=", ">=")
_OPERATOR = re.compile(r"[-+*/%^=<>]|\b(?:and|or|unless)\b")


class NotPromql(ValueError):  # noqa: N818  (states what is so)
    """The query cannot be parsed; the message is the parser's."""


@dataclass(frozen=True)
class Query:
    """A parsed query.

    Attributes:
        selectors: the matchers of each series selector.
        scalar: its answer is one number, never a list.
        several: its answer may hold more than one series.
        fallback: what it answers where there is no data (`or vector(0)`); None where that is an empty list.
        nan: why it can be NaN; empty where it cannot.
        counted: it looks at counters over a window, so that it needs samples of the time since the canary began.
        itself: the part that has the same question on both sides; empty where there is none.
    """

    selectors: tuple[tuple[Matcher, ...], ...]
    scalar: bool
    several: bool
    fallback: float | None
    nan: frozenset[Nan]
    counted: bool
    itself: str = ""


def fill(query: str, arguments: Mapping[str, Argument]) -> str:
    """The query with every placeholder replaced: by its value, or by what its place asks for."""

    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        known = arguments.get(name)
        if known is not None and known.origin is Origin.LITERAL:
            return known.value
        before = query[: match.start()]
        if _DURATION_BEFORE.search(before):
            return "5m"
        if known is not None and known.origin in _STANDS_FOR:
            return _STANDS_FOR[known.origin]
        return f"args.{name}" if quoted(before, comment="#") else "1"

    return PLACEHOLDER.sub(put, query)


def read(query: str) -> Query:
    """What a query with nothing left to fill in asks for.

    Raises:
        NotPromql: it is none, or of a newer Prometheus than the parser knows.
    """
    if len(query) > LONGEST or _depth(query) > DEEPEST or len(_OPERATOR.findall(query)) > MOST_OPERATORS:
        raise NotPromql(f"more than {LONGEST} characters, {MOST_OPERATORS} operators or {DEEPEST} brackets deep")
    try:
        tree = promql.parse(query)
    except ValueError as err:
        raise NotPromql(str(err)) from err
    try:
        found = tuple(selectors(tree))
        counted = any(isinstance(each, promql.MatrixSelector) for each in below(tree))
        wide, instead, unclear = several(tree, frozenset()), fallback(tree), frozenset(nan(tree))
        return Query(found, scalar(tree), wide, instead, unclear, counted, _itself(tree))
    except RecursionError as err:
        raise NotPromql("nested too deep") from err


def _itself(tree: promql.Expr) -> str:
    for each in below(tree):
        if isinstance(each, promql.BinaryExpr) and str(each.op) in _COMPARE and any(selectors(each.lhs)):
            left, right = _bare(each.lhs), _bare(each.rhs)
            if left == right:
                return f"{left} {each.op} {right}"
    return ""


def _bare(node: promql.Expr) -> str:
    """A part as it is printed, without the brackets around it."""
    while isinstance(node, promql.ParenExpr):
        node = node.expr
    return " ".join(node.prettify().split())


def _depth(query: str) -> int:
    deepest = depth = 0
    for character in query:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def quoted(before: str, *, comment: str = "") -> bool:
    """Whether a place lies inside a string, by the text before it.

    Args:
        before: the text.
        comment: what begins a comment, in which a quote opens nothing; none where empty.
    """
    quote = ""
    escaped = said = False
    for character in before:
        if said:
            said = character != "\n"
        elif character == comment and not quote:
            said = True
        elif escaped:
            escaped = False
        elif quote and character == "\\":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
    return bool(quote)
