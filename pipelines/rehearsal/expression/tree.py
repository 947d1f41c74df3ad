"""The parts of a condition, as the parser leaves them. `at` is the column, counted from 0, where a part begins."""

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Node:
    """Any part of a condition."""

    at: int

    def children(self) -> Iterator["Node"]:
        """The parts directly inside, in order."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Node):
                yield value
            elif isinstance(value, tuple):
                yield from (item for item in value if isinstance(item, Node))

    def walk(self) -> Iterator["Node"]:
        """This part and all inside it."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True, kw_only=True)
class Literal(Node):
    """nil, true, false, a number or a string."""

    value: bool | int | float | str | None


@dataclass(frozen=True, kw_only=True)
class Name(Node):
    """`result`, the only variable there is."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Array(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Pair(Node):
    """`key: value` inside a map."""

    key: Node
    value: Node


@dataclass(frozen=True, kw_only=True)
class Map(Node):
    """`{"a": 1}`."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True, kw_only=True)
class Unary(Node):
    """`not x`, `!x` (both `!`), `-x` or `+x`."""

    operator: str
    operand: Node


@dataclass(frozen=True, kw_only=True)
class Binary(Node):
    """Two sides and an operator; `and` is written `&&` and `or` is written `||` here."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, kw_only=True)
class Member(Node):
    """`of[key]`, or `of.name` with the name as a literal key; `optional` where it was `?.`."""

    of: Node
    key: Node
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Chain(Node):
    """What stands around members with `?.`: nil as soon as one of them is asked of nil."""

    inside: Node


@dataclass(frozen=True, kw_only=True)
class Conditional(Node):
    """`test ? yes : no`."""

    test: Node
    yes: Node
    no: Node


@dataclass(frozen=True, kw_only=True)
class Call(Node):
    """A function of Argo Rollouts (`isNaN`) or of the language (`len`)."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Closure(Node):
    """The second argument of `all`, `any`, `filter`, ...: asked of every element."""

    body: Node


@dataclass(frozen=True, kw_only=True)
class Element(Node):
    """`#`, the element that a closure is asked of; `#index` its place."""

    name: str = ""
