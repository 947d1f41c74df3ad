"""A YAML value that remembers its line. Made from PyYAML's nodes, so that a finding can say file:line."""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A document that nests deeper or holds more than this is no manifest; anchors could make one grow without end.
_MAX_DEPTH = 60
_MAX_NODES = 200_000
_BASES = {"0x": 16, "0X": 16, "0o": 8}

Scalar = str | int | float | bool | None


class NotYaml(ValueError):  # noqa: N818  (states what is so)
    """The text cannot be read as YAML."""


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping, a list or a scalar, and where it stands.

    `line` counts from 1; for a missing value it is the line of the nearest parent that is there.
    """

    value: "dict[str, Node] | list[Node] | Scalar"
    line: int
    present: bool = True

    def at(self, *path: str) -> "Node":
        """The value under keys; one that is not `present` where a key is missing or its parent is no mapping."""
        found = self
        for key in path:
            below = found.value.get(key) if isinstance(found.value, dict) else None
            if below is None:
                return Node(None, found.line, present=False)
            found = below
        return found

    def __bool__(self) -> bool:
        return self.present and self.value is not None

    @property
    def items(self) -> "list[Node]":
        """The elements of a list; none for anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def fields(self) -> "dict[str, Node]":
        """The entries of a mapping; none for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def text(self) -> str:
        """The scalar as Kubernetes would take it for a string field; empty for what is none."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return str(self.value) if isinstance(self.value, str | int | float) else ""

    def walk(self, *, depth: int = 0) -> "Iterator[tuple[str, Node]]":
        """Every scalar below with the key that it stands under, in order."""
        if depth > _MAX_DEPTH:
            return
        for key, below in self.fields.items():
            if isinstance(below.value, dict | list):
                yield from below.walk(depth=depth + 1)
            else:
                yield key, below
        for below in self.items:
            if isinstance(below.value, dict | list):
                yield from below.walk(depth=depth + 1)
            else:
                yield "", below


def documents(text: str, *, before: int = 0) -> list[Node]:
    """The mappings of a YAML stream, in order; documents that are no mapping are left out.

    Args:
        text: the stream, or a part of one.
        before: how many lines of the file stand before it.

    Raises:
        NotYaml: the text is no YAML, or none that a manifest could be.
    """
    try:
        composed = list(yaml.compose_all(text, Loader=_Loader))
    except (yaml.YAMLError, ValueError, RecursionError) as err:
        raise NotYaml(str(err)) from err
    reader = _Reader(before)
    return [reader.read(node) for node in composed if isinstance(node, yaml.MappingNode)]


class _Reader:
    """Turns PyYAML's nodes into ours, with a bound on how many."""

    def __init__(self, before: int) -> None:
        self.before = before + 1
        self.left = _MAX_NODES

    def read(self, node: yaml.Node, depth: int = 0) -> Node:
        self.left -= 1
        if depth > _MAX_DEPTH or self.left < 0:
            raise NotYaml(f"line {node.start_mark.line + self.before}: nests or repeats too much for a manifest")
        line = node.start_mark.line + self.before
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, depth), line)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.read(item, depth + 1) for item in node.value], line)
        return Node(_scalar(node), line)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            below = self.read(value, depth + 1)
            if key.tag == "tag:yaml.org,2002:merge":
                for parent in below.items or [below]:
                    merged = parent.fields | merged
            elif isinstance(key, yaml.ScalarNode):
                # A value on later lines is pointed at by its key.
                own[str(key.value)] = Node(below.value, key.start_mark.line + self.before)
        return merged | own


def _scalar(node: yaml.Node) -> Scalar:
    text, kind = str(node.value), node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on", "y")
    if kind in ("int", "float"):
        try:
            return _number(text, whole=kind == "int")
        except ValueError:
            return text
    return text


def _number(text: str, *, whole: bool) -> Scalar:
    plain = text.replace("_", "")
    if not whole:
        return float(plain.replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf").replace(".NaN", "nan"))
    return int(plain, _BASES.get(plain.lstrip("+-")[:2], 10))
