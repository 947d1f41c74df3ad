"""What a condition's parts are before it runs, given what the result is: as strict as the real compiler is.

expr-lang compiles against the type of the result at hand, so a condition that compares a vector with a word is wrong
as a whole, whichever branch would have run. `check` also does what the compiler rewrites: whole numbers that are
arguments of isNaN and isInf become floats, and `and`/`or` with a constant side lose the other.

Source: expr-lang v1.17.7, checker/checker.go, checker/nature/nature.go, optimizer/fold.go.
"""

from dataclasses import dataclass, replace

from pipelines.rehearsal.expression.errors import ExpressionError
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
    Pair,
    Unary,
)


@dataclass(frozen=True)
class Type:
    """unknown, nil, int, float, bool, string, list or map; a list has the type of its elements.

    `plain` lists are Go's []any; a Prometheus vector, []float64, is not.
    """

    kind: str
    element: "Type | None" = None
    plain: bool = True

    @property
    def unknown(self) -> bool:
        return self.kind == "unknown"

    @property
    def number(self) -> bool:
        return self.kind in ("int", "float")

    def __str__(self) -> str:
        return f"list of {self.element}" if self.element is not None and not self.element.unknown else self.kind


UNKNOWN, NIL, INT, FLOAT, BOOL, STRING, MAP = map(Type, ("unknown", "nil", "int", "float", "bool", "string", "map"))
LIST = Type("list", UNKNOWN)
VECTOR = Type("list", FLOAT, plain=False)


def type_of(result: object) -> Type:
    """The type of a result: a tuple is a Prometheus vector, a list a JSON array."""
    match result:
        case None:
            return NIL
        case bool():
            return BOOL
        case int() | float():
            return FLOAT  # JSON and Prometheus know no whole numbers
        case str():
            return STRING
        case tuple():
            return VECTOR
        case list():
            return LIST
        case dict():
            return MAP
    raise ExpressionError(f"a result of type {type(result).__name__} cannot be judged")


def check(node: Node, result: Type) -> tuple[Node, Type]:
    """The tree as it will run, and its type.

    Raises:
        ExpressionError: types that do not go together.
    """
    return _Checker(result).visit(node)


def _assignable(one: Type, to: Type) -> bool:
    if one.kind == "nil":
        return to.kind in ("unknown", "list", "map")
    if one.unknown:
        return False
    return to.unknown or (one.kind == to.kind and one.plain == to.plain)


def _comparable(one: Type, other: Type) -> bool:
    return (
        one.unknown
        or other.unknown
        or "nil" in (one.kind, other.kind)
        or (one.number and other.number)
        or (one.kind == other.kind == "list")
        or _assignable(one, other)
    )


def _wrong(node: Node, what: str) -> ExpressionError:
    return ExpressionError(f"{what} at column {node.at}")


# operator: (kinds that go together on both sides, type of the outcome; "" for the wider of two numbers)
_OPERATORS: dict[str, tuple[tuple[tuple[str, ...], ...], Type | None]] = {
    "&&": ((("bool",),), BOOL),
    "||": ((("bool",),), BOOL),
    **dict.fromkeys(("<", ">", "<=", ">="), ((("int", "float"), ("string",)), BOOL)),
    "-": ((("int", "float"),), None),
    "*": ((("int", "float"),), None),
    "+": ((("int", "float"), ("string",)), None),
    "/": ((("int", "float"),), FLOAT),
    "**": ((("int", "float"),), FLOAT),
    "%": ((("int",),), INT),
    **dict.fromkeys(("contains", "startsWith", "endsWith"), ((("string",),), BOOL)),
}


class _Checker:
    def __init__(self, result: Type) -> None:
        self.result = result
        self.scopes: list[tuple[Type, bool]] = []  # what each closure is asked of, and whether #index is known there

    def visit(self, node: Node) -> tuple[Node, Type]:
        match node:
            case Literal(value=value):
                literals = {bool: BOOL, int: INT, float: FLOAT, str: STRING, type(None): NIL}
                return node, literals[type(value)]
            case Name():
                return node, self.result
            case Array(items=items):
                return self.array(node, items)
            case Map(pairs=pairs):
                seen = tuple(replace(p, key=self.visit(p.key)[0], value=self.visit(p.value)[0]) for p in pairs)
                return replace(node, pairs=seen), MAP
            case Unary():
                return self.unary(node)
            case Binary():
                return self.binary(node)
            case Member():
                return self.member(node)
            case Chain(inside=inside):
                inner, kind = self.visit(inside)
                return replace(node, inside=inner), kind
            case Conditional():
                return self.conditional(node)
            case Element():
                return self.element(node)
            case Call():
                return _Calls(self).visit(node)
            case Closure() | Pair():
                pass
        raise _wrong(node, f"{type(node).__name__.lower()} out of place")

    def array(self, node: Array, items: tuple[Node, ...]) -> tuple[Node, Type]:
        seen = [self.visit(item) for item in items]
        kinds = {kind.kind for _, kind in seen}
        same = seen[-1][1] if len(kinds) == 1 else UNKNOWN
        return replace(node, items=tuple(item for item, _ in seen)), Type("list", same)

    def unary(self, node: Unary) -> tuple[Node, Type]:
        operand, kind = self.visit(node.operand)
        if node.operator == "!" and (kind.kind == "bool" or kind.unknown):
            if isinstance(operand, Literal):
                return Literal(value=not operand.value, at=node.at), BOOL
            return replace(node, operand=operand), BOOL
        if node.operator in "+-" and (kind.number or kind.unknown):
            return replace(node, operand=operand), kind
        raise _wrong(node, f"{node.operator} of a {kind}")

    def binary(self, node: Binary) -> tuple[Node, Type]:
        left, one = self.visit(node.left)
        right, other = self.visit(node.right)
        return _folded(replace(node, left=left, right=right)), _outcome(node, one, other)

    def member(self, node: Member) -> tuple[Node, Type]:
        of, base = self.visit(node.of)
        key, by = self.visit(node.key)
        whole = replace(node, of=of, key=key)
        if base.unknown:
            return whole, UNKNOWN
        if base.kind == "map" and (by.kind == "string" or by.unknown):
            return whole, UNKNOWN
        if base.kind == "list" and base.element is not None and (by.kind == "int" or by.unknown):
            return whole, base.element
        raise _wrong(node, f"a {base} has no element by a {by}")

    def conditional(self, node: Conditional) -> tuple[Node, Type]:
        test, kind = self.visit(node.test)
        if kind.kind != "bool" and not kind.unknown:
            raise _wrong(node.test, f"a {kind} as a condition")
        (yes, one), (no, other) = self.visit(node.yes), self.visit(node.no)
        whole = replace(node, test=test, yes=yes, no=no)
        if "nil" in (one.kind, other.kind):
            return whole, other if one.kind == "nil" else one
        if not _assignable(one, other):
            return whole, UNKNOWN
        if one.element and other.element and one.element != other.element:
            return whole, LIST
        return whole, one

    def element(self, node: Element) -> tuple[Node, Type]:
        over, index = self.scopes[-1]
        if node.name == "index":
            if not index:
                raise _wrong(node, "#index outside of map")
            return node, INT
        if over.unknown:
            return node, UNKNOWN
        return node, over.element or UNKNOWN


def _outcome(node: Binary, one: Type, other: Type) -> Type:
    operator = node.operator
    if operator in ("==", "!="):
        if _comparable(one, other):
            return BOOL
    elif operator == "in":
        if _findable(one, other):
            return BOOL
    elif operator == "??":
        if one.kind == "nil":
            return other
        return one if other.kind == "nil" or _assignable(other, one) else UNKNOWN
    else:
        groups, outcome = _OPERATORS[operator]
        if one.unknown and other.unknown:
            return outcome or UNKNOWN
        for group in groups:
            if one.kind in group and other.kind in group:
                return outcome or (FLOAT if "float" in (one.kind, other.kind) else one)
        if one.unknown or other.unknown:
            known = other if one.unknown else one
            if any(known.kind in group for group in groups):
                return outcome or UNKNOWN
    raise _wrong(node, f"{one} {operator} {other}: types that do not go together")


def _findable(one: Type, among: Type) -> bool:
    if among.kind == "map":
        return one.unknown or one.kind == "string"
    if among.kind == "list":
        return _comparable(one, among.element or UNKNOWN)
    return among.unknown or (one.unknown and among.kind == "string")


def _folded(node: Binary) -> Node:
    left, right = _constant(node.left), _constant(node.right)
    if node.operator in ("&&", "||"):
        neutral = node.operator == "&&"
        if left is neutral:
            return node.right
        if right is neutral:
            return node.left
        if left is (not neutral) or right is (not neutral):
            return Literal(value=not neutral, at=node.at)
    if isinstance(node.left, Literal) and isinstance(node.right, Literal):
        one, other = node.left.value, node.right.value
        if node.operator == "==" and type(one) is type(other) and isinstance(one, bool | int | str):
            return Literal(value=one == other, at=node.at)
        if node.operator == "%" and node.right.value == 0:
            raise _wrong(node, "a remainder of a division by zero")
    return node


def _constant(node: Node) -> bool | None:
    return node.value if isinstance(node, Literal) and isinstance(node.value, bool) else None


class _Calls:
    """The checks of each function's arguments."""

    def __init__(self, checker: _Checker) -> None:
        self.checker = checker

    def visit(self, node: Call) -> tuple[Node, Type]:
        if node.function in ("all", "any", "none", "one", "filter", "map", "count", "sum"):
            return self.closed(node)
        seen = [self.checker.visit(argument) for argument in node.arguments]
        kinds = [kind for _, kind in seen]
        arguments = tuple(argument for argument, _ in seen)
        if node.function in ("isNaN", "isInf"):
            self.count(node, 1)
            if kinds[0].kind == "int":
                arguments = (_floated(arguments[0]),)
            self.among(node, kinds[0], "int", "float")
        return replace(node, arguments=arguments), self.outcome(node, kinds)

    def outcome(self, node: Call, kinds: list[Type]) -> Type:
        match node.function:
            case "isNaN" | "isInf":
                return BOOL
            case "isNil":
                self.count(node, 1)
                return BOOL
            case "default":
                self.count(node, 2)
                return UNKNOWN
            case "asInt" | "asFloat":
                self.count(node, 1)
                return INT if node.function == "asInt" else FLOAT
            case "string":
                self.count(node, 1)
                return STRING
            case "min" | "max" | "mean":
                return self.aggregate(node, kinds)
        self.count(node, 1)
        kind = kinds[0]
        if node.function == "len":
            self.among(node, kind, "list", "map", "string")
            return INT
        if node.function in ("int", "float"):
            self.among(node, kind, "int", "float", "string")
            return INT if node.function == "int" else FLOAT
        self.among(node, kind, "int", "float")  # abs, ceil, floor, round
        return kind if node.function == "abs" else FLOAT

    def aggregate(self, node: Call, kinds: list[Type]) -> Type:
        if not kinds:
            raise _wrong(node, f"{node.function} without an argument")
        for kind in kinds:
            if kind.unknown or kind.kind == "list":
                return UNKNOWN
            self.among(node, kind, "int", "float")
        return kinds[0]

    def closed(self, node: Call) -> tuple[Node, Type]:
        over, kind = self.checker.visit(node.arguments[0])
        self.among(node, kind, "list")
        element = UNKNOWN if kind.unknown else kind.element or UNKNOWN
        if len(node.arguments) == 1:
            return replace(node, arguments=(over,)), INT if node.function == "count" else element
        closure = node.arguments[1]
        if not isinstance(closure, Closure):
            raise _wrong(node, f"{node.function} takes a condition as its second argument")
        self.checker.scopes.append((kind, node.function == "map"))
        body, outcome = self.checker.visit(closure.body)
        self.checker.scopes.pop()
        if outcome.kind == "nil":
            raise _wrong(closure, "nil as the answer of a closure")
        whole = replace(node, arguments=(over, replace(closure, body=body)))
        if node.function in ("map", "sum"):
            return whole, Type("list", outcome) if node.function == "map" else outcome
        if outcome.kind != "bool" and not outcome.unknown:
            raise _wrong(closure, f"a {outcome} as a condition")
        outcomes = {"filter": Type("list", element), "count": INT}
        return whole, outcomes.get(node.function, BOOL)

    def count(self, node: Call, number: int) -> None:
        if len(node.arguments) != number:
            raise _wrong(node, f"{node.function} takes {number} argument(s), got {len(node.arguments)}")

    def among(self, node: Call, kind: Type, *kinds: str) -> None:
        if kind.kind not in kinds and not kind.unknown:
            raise _wrong(node, f"{node.function} of a {kind}")


def _floated(node: Node) -> Node:
    match node:
        case Literal(value=int() as value) if not isinstance(value, bool):
            return replace(node, value=float(value))
        case Unary(operand=operand):
            return replace(node, operand=_floated(operand))
        case Binary(operator="+" | "-" | "*", left=left, right=right):
            return replace(node, left=_floated(left), right=_floated(right))
    return node
