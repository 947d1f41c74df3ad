"""The small expressions of a workflow: `when`, `depends` and a retry's `expression`, evaluated without eval.

Strings, numbers, lists, names, `== != < <= > >= =~ in not in && || !` and `asInt(...)`. What a bare name means is the
caller's: a literal word in `when`, a task's state in `depends`, a variable in a retry.
"""

import re
from collections.abc import Callable

from models.errors import ConfigError

Value = str | float | bool | list["Value"]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?(?![\w.-]))"""
    r"""|(?P<operator>&&|\|\||==|!=|=~|<=|>=|[<>!()\[\],])|(?P<name>[\w][\w.\-]*))"""
)
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def holds(text: str, name: Callable[[str], Value]) -> bool:
    """Whether the expression is true.

    Args:
        name: the value of a bare name; raises KeyError for one that it does not know.

    Raises:
        ConfigError: the text is no such expression, names something unknown, or has no truth value.
    """
    reader = _Reader(text, name)
    value = reader.either()
    if reader.tokens:
        raise ConfigError([f"expression {text!r}: got {reader.tokens[0][1]!r} after its end, must be one condition"])
    if not isinstance(value, bool):
        raise ConfigError([f"expression {text!r}: got {value!r}, must be true or false"])
    return value


class _Reader:
    """Recursive descent, loosest first: either, both, negated, compared, atom."""

    def __init__(self, text: str, name: Callable[[str], Value]) -> None:
        self.text, self.name = text, name
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.refused(text[at:].strip())
            self.tokens.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
            at = match.end()

    def refused(self, got: str) -> ConfigError:
        return ConfigError([f"expression {self.text!r}: got {got!r}, which is not understood here; see expressions.py"])

    def take(self, *wanted: str) -> bool:
        if self.tokens and self.tokens[0][0] in ("operator", "name") and self.tokens[0][1] in wanted:
            self.tokens.pop(0)
            return True
        return False

    def must(self, wanted: str) -> None:
        if not self.take(wanted):
            raise self.refused(self.tokens[0][1] if self.tokens else "its end")

    def truth(self, value: Value) -> bool:
        if not isinstance(value, bool):
            raise self.refused(str(value))
        return value

    def either(self) -> Value:
        value = self.both()
        while self.take("||"):
            right = self.both()
            value = self.truth(value) or self.truth(right)
        return value

    def both(self) -> Value:
        value = self.negated()
        while self.take("&&"):
            right = self.negated()
            value = self.truth(value) and self.truth(right)
        return value

    def negated(self) -> Value:
        return not self.truth(self.negated()) if self.take("!") else self.compared()

    def compared(self) -> Value:
        left = self.atom()
        for operator in ("==", "!=", "=~", "in", *_COMPARISONS):
            if self.take(operator):
                return self.compare(left, operator, self.atom())
        if self.take("not"):
            self.must("in")
            return not self.compare(left, "in", self.atom())
        return left

    def compare(self, left: Value, operator: str, right: Value) -> bool:
        if operator in ("==", "!="):
            return (left == right) == (operator == "==")
        if operator == "in" and isinstance(right, list):
            return left in right
        if operator == "=~" and isinstance(left, str) and isinstance(right, str):
            return re.search(right, left) is not None
        if operator in _COMPARISONS and isinstance(left, float) and isinstance(right, float):
            return _COMPARISONS[operator](left, right)
        raise self.refused(f"{left!r} {operator} {right!r}")

    def atom(self) -> Value:
        if self.take("("):
            value = self.either()
            self.must(")")
            return value
        if self.take("["):
            items: list[Value] = []
            while not self.take("]"):
                items.append(self.atom())
                if not self.take(",") and (not self.tokens or self.tokens[0][1] != "]"):
                    raise self.refused(self.tokens[0][1] if self.tokens else "its end")
            return items
        if not self.tokens or self.tokens[0][0] == "operator":
            raise self.refused(self.tokens[0][1] if self.tokens else "its end")
        kind, word = self.tokens.pop(0)
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", word[1:-1])
        if kind == "number":
            return float(word)
        if word == "asInt" and self.take("("):
            inner = self.atom()
            self.must(")")
            if not re.fullmatch(r"-?\d+", str(inner)):
                raise self.refused(f"asInt({inner!r})")
            return float(str(inner))
        try:
            return self.name(word)
        except KeyError as err:
            raise self.refused(word) from err
