"""A checked condition and a result to an answer."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

from pipelines.rehearsal.expression import values
from pipelines.rehearsal.expression.errors import ExpressionError
from pipelines.rehearsal.expression.parser import parse
from pipelines.rehearsal.expression.tree import (
    Array,
    Binary,
    Call,
    Chain,
    Closure,
    Conditional,
    Element,
    Literal,
    Map,
    Member,
    Name,
    Node,
    Unary,
)
from pipelines.rehearsal.expression.types import Type, check, type_of


def evaluate(condition: str, result: object) -> bool:
    """Whether a condition of a metric holds for a result, as Argo Rollouts 1.10 would find.

    Args:
        condition: `successCondition` or `failureCondition`, arguments resolved.
        result: a tuple of floats for a Prometheus vector; a float for a scalar; decoded JSON for web.

    Raises:
        ExpressionError: the condition is none, its types do not fit, it raises for this result, or it is no boolean.
        UnsupportedExpression: it uses a part of the language that is not covered here.
    """
    prepared = _prepared(condition, type_of(result))
    answer = _Run(_decoded(result)).value(prepared)
    if not isinstance(answer, bool):
        raise ExpressionError(f"condition {condition!r} gives {values.words(answer)}, must give true or false")
    return answer


@lru_cache(maxsize=1024)
def _prepared(condition: str, kind: Type) -> Node:
    return check(parse(condition), kind)[0]


def _decoded(value: object) -> object:
    """The value as Go decodes JSON: every number a float."""
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case list():
            return [_decoded(each) for each in value]
        case tuple():
            return tuple(_decoded(each) for each in value)
        case dict():
            return {key: _decoded(each) for key, each in value.items()}
    return value


class _Nothing(Exception):  # noqa: N818  (a signal)
    """A member was asked of nil with `?.`."""


class _Run:
    def __init__(self, result: object) -> None:
        self.result = result
        self.scopes: list[tuple[object, int]] = []

    def value(self, node: Node) -> object:
        match node:
            case Literal(value=value):
                return value
            case Name():
                return self.result
            case Binary():
                return self.binary(node)
            case Member():
                return self.member(node)
            case Call():
                return self.call(node)
            case Unary():
                return self.unary(node)
            case Element(name=name):
                return self.scopes[-1][1 if name else 0]
            case Conditional(test=test, yes=yes, no=no):
                return self.value(yes if self.truth(test) else no)
            case Array(items=items):
                return [self.value(item) for item in items]
            case Map(pairs=pairs):
                return {self.key(pair.key): self.value(pair.value) for pair in pairs}
            case Chain(inside=inside):
                try:
                    return self.value(inside)
                except _Nothing:
                    return None
        raise ExpressionError(f"{type(node).__name__.lower()} at column {node.at} is out of place")

    def truth(self, node: Node) -> bool:
        value = self.value(node)
        if not isinstance(value, bool):
            raise ExpressionError(f"{values.words(value)} at column {node.at} as a condition")
        return value

    def key(self, node: Node) -> str:
        value = self.value(node)
        if not isinstance(value, str):
            raise ExpressionError(f"{values.words(value)} at column {node.at} as a key")
        return value

    def unary(self, node: Unary) -> object:
        if node.operator == "!":
            return not self.truth(node.operand)
        value = self.value(node.operand)
        if node.operator == "+":
            return value
        found = values.number(value)
        if found is None:
            raise values.wrong("-", value)
        return -found

    def binary(self, node: Binary) -> object:
        operator = node.operator
        if operator in ("&&", "||"):
            left = self.truth(node.left)
            return self.value(node.right) if left is (operator == "&&") else left
        one = self.value(node.left)
        if operator == "??":
            return self.value(node.right) if one is None else one
        other = self.value(node.right)
        match operator:
            case "==":
                return values.equal(one, other)
            case "!=":
                return not values.equal(one, other)
            case "<" | "<=" | ">" | ">=":
                return values.ordered(operator, one, other)
            case "in":
                return self.contained(node, one, other)
            case "contains" | "startsWith" | "endsWith":
                return values.affixed(operator, one, other)
        return values.computed(operator, one, other)

    def contained(self, node: Binary, one: object, other: object) -> bool:
        among = node.right
        if isinstance(among, Array) and among.items and all(_is_text(item) for item in among.items):
            # The compiler makes a map of a list of words: a needle of another type raises instead of being absent.
            return values.contained(one, dict.fromkeys(other if isinstance(other, list) else ()))
        return values.contained(one, other)

    def member(self, node: Member) -> object:
        of = self.value(node.of)
        if node.optional and of is None:
            raise _Nothing
        return values.fetched(of, self.value(node.key))

    def call(self, node: Call) -> object:
        closure = node.arguments[1] if len(node.arguments) == 2 else None
        if isinstance(closure, Closure) or node.function in ("count", "sum"):
            over = values.elements(self.value(node.arguments[0]))
            return self.closed(node.function, over, closure.body if isinstance(closure, Closure) else None)
        arguments = [self.value(argument) for argument in node.arguments]
        return self.function(node.function, arguments)

    def function(self, name: str, given: list[object]) -> object:
        match name:
            case "isNaN" | "isInf":
                if not isinstance(given[0], float):
                    raise values.wrong(name, given[0])
                return math.isnan(given[0]) if name == "isNaN" else math.isinf(given[0])
            case "isNil":
                return self.result is None
            case "default":
                return given[1] if self.result is None else self.result
            case "asInt" | "int":
                return values.as_integer(name, given[0])
            case "asFloat" | "float":
                return values.as_float(name, given[0])
            case "len":
                return values.length(given[0])
            case "abs":
                found = values.number(given[0])
                if found is None:
                    raise values.wrong(name, given[0])
                return abs(found)
            case "min" | "max":
                return values.extreme(name, given)
            case "mean":
                return values.mean(given)
            case "string":
                return values.text(given[0])
        return values.rounded(name, given[0])

    def closed(self, name: str, over: object, body: Node | None) -> object:
        answers = self.answers(values.elements(over), body, needs_truth=name not in ("map", "sum"))
        match name:
            case "all":
                return all(answers)
            case "any":
                return any(answers)
            case "none":
                return not any(answers)
            case "one":
                return sum(map(bool, answers)) == 1
            case "count":
                return sum(map(bool, answers))
            case "filter":
                return [each for each, kept in zip(values.elements(over), answers, strict=True) if kept]
            case "sum":
                total: object = 0
                for each in answers:
                    total = values.computed("+", each, total)
                return total
        return list(answers)

    def answers(self, over: Sequence[object], body: Node | None, *, needs_truth: bool) -> Iterator[object]:
        for index, element in enumerate(over):
            self.scopes.append((element, index))
            try:
                answer = element if body is None else self.value(body)
            finally:
                self.scopes.pop()
            if needs_truth and not isinstance(answer, bool):
                raise ExpressionError(f"{values.words(answer)} as a condition on element {index}")
            yield answer


def _is_text(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str)
