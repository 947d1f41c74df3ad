"""Answers in words: which a condition was written for, and answers that it was not written for."""

from collections.abc import Iterator

from pipelines.lint.objects import Metric
from pipelines.lint.verdicts import CONDITIONS, condition, problem
from pipelines.rehearsal.expression import parse
from pipelines.rehearsal.expression.tree import Literal, Member, Name, Node

# What a service may say where nobody thought of it: it is not sure, it is broken, it has a new word.
_UNFORESEEN = ("inconclusive", "error", "unknown", "a word that nobody knows")
_MOST_ELEMENTS = 10


def mentioned(metric: Metric) -> set[str]:
    """The words that the conditions compare with; field names are none."""
    trees = _trees(metric)
    keys = {id(part.key) for tree in trees for part in tree.walk() if isinstance(part, Member)}
    literals = [part for tree in trees for part in tree.walk() if isinstance(part, Literal) and id(part) not in keys]
    return {part.value for part in literals if isinstance(part.value, str)}


def unforeseen(metric: Metric) -> Iterator[tuple[str, object]]:
    """Answers that the conditions do not mention, in the form that they ask for, each with its name."""
    words, paths = mentioned(metric), list(_paths(metric))
    for word in _UNFORESEEN:
        if word not in words:
            yield repr(word), _shaped(paths, word)
    if any(isinstance(path[0], str) for path in paths):
        yield "an answer without the field", {}


def _trees(metric: Metric) -> list[Node]:
    texts = [condition(metric, key) for key in CONDITIONS]
    return [parse(text) for text in texts if text and problem(text) is None]


def _paths(metric: Metric) -> Iterator[tuple[str | int, ...]]:
    """The places inside the result that the conditions look at: `result.data[0]` is ("data", 0)."""
    for tree in _trees(metric):
        for part in tree.walk():
            path: list[str | int] = []
            at = part
            while isinstance(at, Member) and isinstance(at.key, Literal) and isinstance(at.key.value, str | int):
                path.insert(0, at.key.value)
                at = at.of
            if path and isinstance(at, Name):
                yield tuple(path)


def _shaped(paths: list[tuple[str | int, ...]], leaf: str) -> object:
    """An answer that holds the leaf at every path; the leaf alone where there are none."""
    if not paths:
        return leaf
    first = {path[0] for path in paths}
    below = {key: _shaped([path[1:] for path in paths if path[0] == key and path[1:]], leaf) for key in first}
    if all(isinstance(key, str) for key in first):
        return below
    return [next(iter(below.values()))] * _MOST_ELEMENTS
