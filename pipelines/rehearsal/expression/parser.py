"""A condition's text to its tree, by the precedences of expr-lang 1.17. What is not covered is refused by its name.

Source: expr-lang v1.17.7, parser/parser.go and parser/operator/operator.go.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from pipelines.rehearsal.expression.errors import ExpressionError, UnsupportedExpression
from pipelines.rehearsal.expression.tokens import Token, cut
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

DEEPEST = 50
_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_BINARY = {
    "|": 0, "or": 10, "||": 10, "and": 15, "&&": 15, "==": 20, "!=": 20, "<": 20, ">": 20, ">=": 20, "<=": 20,
    "in": 20, "contains": 20, "startsWith": 20, "endsWith": 20, "+": 30, "-": 30, "*": 60, "/": 60, "%": 60,
    "**": 100, "^": 100, "??": 500,
}  # fmt: skip
_NEGATABLE = ("in", "contains", "startsWith", "endsWith")
_COMPARISONS = ("<", ">", "<=", ">=")
_SPELLED = {"and": "&&", "or": "||", "not": "!", "^": "**"}
_REFUSED = {
    "matches": "the operator `matches`", "let": "`let`", "if": "`if`", "else": "`else`", "..": "a range `..`",
    ";": "a sequence `;`", "::": "`::`",
}  # fmt: skip
# Functions that take a closure: fewest and most arguments.
WITH_CLOSURE = {
    "all": (2, 2), "any": (2, 2), "none": (2, 2), "one": (2, 2), "filter": (2, 2), "map": (2, 2),
    "count": (1, 2), "sum": (1, 2),
}  # fmt: skip
PLAIN = frozenset(
    "len abs ceil floor round int float string min max mean isNaN isInf isNil asInt asFloat default".split()  # noqa: SIM905
)


@lru_cache(maxsize=1024)
def parse(source: str) -> Node:
    """The tree of a condition.

    Raises:
        ExpressionError: it is none.
        UnsupportedExpression: it uses what is not covered, with its name and column.
    """
    reader = _Parser(cut(source))
    tree = reader.expression(0)
    if reader.token.kind != "end":
        reader.unexpected()
    return tree


@dataclass
class _Parser:
    tokens: list[Token]
    place: int = 0
    depth: int = 0
    closures: int = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def next(self) -> Token:
        token = self.token
        self.place += token.kind != "end"
        return token

    def accept(self, *texts: str) -> bool:
        return self.token.is_(*texts) and bool(self.next())

    def expect(self, text: str) -> None:
        if not self.accept(text):
            self.unexpected(f", {text!r} must stand there")

    def unexpected(self, rule: str = "") -> NoReturn:
        token = self.token
        if token.kind == "operator" and token.text in _REFUSED:
            raise UnsupportedExpression(f"{_REFUSED[token.text]} at column {token.at} is not covered")
        seen = "the end" if token.kind == "end" else repr(token.text)
        raise ExpressionError(f"unexpected {seen} at column {token.at}{rule}")

    def expression(self, precedence: int) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExpressionError(f"nested more than {DEEPEST} deep at column {self.token.at}")
        left = self.primary()
        left = self.operators(left, precedence)
        if precedence == 0:
            left = self.conditional(left)
        self.depth -= 1
        return left

    def operators(self, left: Node, precedence: int) -> Node:
        before = ""
        while self.token.kind == "operator":
            start, negated = self.place, self.accept("not")
            token = self.token
            if negated and not token.is_(*_NEGATABLE):
                self.unexpected()
            binding = _BINARY.get(token.text, -1) if token.kind == "operator" else -1
            if binding < precedence:
                self.place = start
                break
            self.next()
            if before == "??" and token.text not in ("??", "|"):
                raise ExpressionError(
                    f"{token.text!r} at column {token.at} beside `??`: put one of them in parentheses"
                )
            if token.text == "|":
                left = self.piped(left)
            elif token.text in _COMPARISONS:
                left = self.comparison(left, token)
            else:
                right = self.expression(binding if token.text in ("**", "^") else binding + 1)
                left = Binary(operator=_SPELLED.get(token.text, token.text), left=left, right=right, at=token.at)
                left = Unary(operator="!", operand=left, at=token.at) if negated else left
            before = token.text
        return left

    def piped(self, left: Node) -> Node:
        name = self.next()
        if name.kind != "name":
            raise ExpressionError(f"unexpected {name.text!r} at column {name.at}, a function must follow `|`")
        return self.postfix(self.call(name, (left,)))

    def comparison(self, left: Node, token: Token) -> Node:
        whole: Node | None = None
        while True:
            right = self.expression(_BINARY["<"] + 1)
            one = Binary(operator=token.text, left=left, right=right, at=token.at)
            whole = one if whole is None else Binary(operator="&&", left=whole, right=one, at=token.at)
            if not self.token.is_(*_COMPARISONS):
                return whole
            left, token = right, self.next()

    def conditional(self, test: Node) -> Node:
        while self.token.is_("?"):
            at = self.next().at
            yes = test if self.token.is_(":") else self.expression(0)
            self.expect(":")
            test = Conditional(test=test, yes=yes, no=self.expression(0), at=at)
        return test

    def primary(self) -> Node:
        token = self.token
        if token.kind == "operator" and token.text in _UNARY:
            self.next()
            operand = self.expression(_UNARY[token.text])
            unary = Unary(operator=_SPELLED.get(token.text, token.text), operand=operand, at=token.at)
            return self.postfix(unary)
        if self.accept("("):
            inside = self.expression(0)
            self.expect(")")
            return self.postfix(inside)
        if self.closures and token.is_("#", "."):
            return self.postfix(self.element())
        return self.secondary()

    def element(self) -> Node:
        at, name = self.token.at, ""
        if self.accept("#") and self.token.kind == "name" and self.token.at == at + 1:
            name = self.next().text
        if name not in ("", "index"):
            raise ExpressionError(f"unknown pointer #{name} at column {at}: there are # and #index")
        return Element(name=name, at=at)

    def secondary(self) -> Node:
        token = self.token
        if token.kind == "name":
            self.next()
            if token.text in ("true", "false", "nil"):
                return Literal(value={"true": True, "false": False, "nil": None}[token.text], at=token.at)
            return self.postfix(self.call(token, ()) if self.token.is_("(") else self.name(token))
        if token.kind == "number":
            self.next()
            return Literal(value=_number(token), at=token.at)
        if token.kind == "string":
            self.next()
            return self.postfix(Literal(value=token.text, at=token.at))
        if self.accept("["):
            return self.postfix(Array(items=self.listed("]"), at=token.at))
        if self.accept("{"):
            return self.postfix(self.map(token.at))
        return self.unexpected()

    def name(self, token: Token) -> Node:
        if token.text == "result":
            return Name(name="result", at=token.at)
        if token.text in WITH_CLOSURE or token.text in PLAIN or token.text.startswith("$"):
            raise UnsupportedExpression(f"{token.text} as a value at column {token.at} is not covered")
        raise ExpressionError(f"unknown name {token.text} at column {token.at}: the only variable is result")

    def listed(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self.token.is_(end):
            if items:
                self.expect(",")
                if self.token.is_(end):
                    break
            items.append(self.expression(0))
        self.expect(end)
        return tuple(items)

    def map(self, at: int) -> Node:
        pairs: list[Pair] = []
        while not self.token.is_("}"):
            if pairs:
                self.expect(",")
                if self.token.is_("}"):
                    break
            token = self.token
            if token.kind in ("number", "string", "name"):
                self.next()
                key: Node = Literal(value=token.text, at=token.at)
            elif token.is_("("):
                key = self.expression(0)
            else:
                self.unexpected(", a key must stand there")
            self.expect(":")
            pairs.append(Pair(key=key, value=self.expression(0), at=token.at))
        self.expect("}")
        return Map(pairs=tuple(pairs), at=at)

    def call(self, name: Token, given: tuple[Node, ...]) -> Node:
        if name.text not in WITH_CLOSURE and name.text not in PLAIN:
            raise UnsupportedExpression(f"the function {name.text} at column {name.at} is not covered")
        self.expect("(")
        if name.text in PLAIN:
            return Call(function=name.text, arguments=given + self.listed(")"), at=name.at)
        fewest, most = WITH_CLOSURE[name.text]
        arguments = list(given)
        while len(arguments) < most and not self.token.is_(")"):
            if len(arguments) > len(given):
                self.expect(",")
            arguments.append(self.closure() if arguments else self.expression(0))
        self.accept(",")
        if len(arguments) < fewest:
            self.unexpected(f", {name.text} takes a list and a condition")
        self.expect(")")
        return Call(function=name.text, arguments=tuple(arguments), at=name.at)

    def closure(self) -> Node:
        at, braces = self.token.at, self.accept("{")
        self.closures += 1
        body = self.expression(0)
        self.closures -= 1
        if braces:
            self.expect("}")
        return Closure(body=body, at=at)

    def postfix(self, node: Node) -> Node:
        while self.token.is_(".", "?.", "["):
            token = self.next()
            optional = token.text == "?."
            if token.text == "[" or (optional and self.accept("[")):
                if self.token.is_(":"):
                    raise UnsupportedExpression(f"a slice [:] at column {token.at} is not covered")
                node = Member(of=node, key=self.expression(0), optional=optional, at=token.at)
                if self.token.is_(":"):
                    raise UnsupportedExpression(f"a slice [:] at column {token.at} is not covered")
                self.expect("]")
                node = Chain(inside=node, at=token.at) if optional else node
                continue
            node = self.property(node, optional)
        return node

    def property(self, node: Node, optional: bool) -> Node:
        token = self.next()
        if token.kind != "name" and not (token.kind == "operator" and token.text.isalpha()):
            raise ExpressionError(f"unexpected {token.text!r} at column {token.at}, a name must follow the dot")
        chained = isinstance(node, Chain)
        of = node.inside if isinstance(node, Chain) else node
        if self.token.is_("("):
            raise UnsupportedExpression(f"the method {token.text} at column {token.at} is not covered")
        member = Member(of=of, key=Literal(value=token.text, at=token.at), optional=optional, at=token.at)
        return Chain(inside=member, at=token.at) if chained or optional else member


def _number(token: Token) -> int | float:
    text = token.text.replace("_", "").lower()
    try:
        if text[:2] in ("0x", "0b", "0o"):
            value: int | float = int(text, 0)
        elif "." in text or "e" in text:
            value = float(text)
        else:
            value = int(text)
    except ValueError:
        raise ExpressionError(f"{token.text!r} at column {token.at} is no number") from None
    if abs(value) > (2**63 - 1 if isinstance(value, int) else 1.8e308):
        raise ExpressionError(f"{token.text!r} at column {token.at} is too large")
    return value
