"""A condition's text cut into words: names, numbers, strings, operators and brackets."""

import re
from dataclasses import dataclass

from pipelines.rehearsal.expression.errors import ExpressionError, UnsupportedExpression

# A condition is a line that a person reads; the bound keeps a hostile one from costing time.
LONGEST = 4000

_WORDS = frozenset(("in", "or", "and", "not", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"))
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      |(?P<number>0[xX][0-9a-fA-F_]*|0[oO][0-7_]*|0[bB][01_]*|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?[\d_]*)?)
      |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      |(?P<name>[^\W\d][\w$]*|\$[\w$]*)
      |(?P<bracket>[()\[\]{}])
      |(?P<operator>\?\?|\?\.|\?|\|\||\||::|:|\.\.|\.|\#|[&!=*<>][&=*]?|[,;%+\-^/])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True)
class Token:
    """One word. `kind` is name, number, string, operator, bracket or end; `text` of a string is unescaped."""

    kind: str
    text: str
    at: int

    def is_(self, *texts: str) -> bool:
        """Whether this is one of these operators or brackets."""
        return self.kind in ("operator", "bracket") and self.text in texts


def cut(source: str) -> list[Token]:
    """The words of a condition, an `end` last.

    Raises:
        ExpressionError: a character or a number that belongs to no word, a string without an end, too long a text.
    """
    if len(source) > LONGEST:
        raise ExpressionError(f"condition of {len(source)} characters: at most {LONGEST} are read")
    tokens, at = [], 0
    while at < len(source):
        if source[at] == "`":
            raise UnsupportedExpression(f"a raw string in backquotes at column {at} is not covered: use quotes")
        found = _TOKEN.match(source, at)
        if found is None:
            raise ExpressionError(f"{source[at]!r} at column {at} begins no part of a condition")
        if found.lastgroup != "space":
            tokens.append(_token(found, source))
        at = found.end()
    return [*tokens, Token("end", "", len(source))]


def _token(found: re.Match[str], source: str) -> Token:
    kind, text, at = str(found.lastgroup), found.group(), found.start()
    if kind == "number" and source[found.end() : found.end() + 1].isalnum():
        raise ExpressionError(f"{text + source[found.end()]!r} at column {at} is no number")
    if kind == "string":
        return Token("string", _ESCAPE.sub(lambda each: _unescape(each, at), text[1:-1]), at)
    if kind == "name" and text in _WORDS:
        return Token("operator", text, at)
    return Token(kind, text, at)


def _unescape(found: re.Match[str], at: int) -> str:
    code = found.group(1)
    if len(code) > 1:
        digits, base = (code, 8) if code[0].isdigit() else (code[1:], 16)
        try:
            return chr(int(digits, base))
        except ValueError:
            raise ExpressionError(f"escape {found.group()!r} of the string at column {at} is no character") from None
    if code in _SIMPLE:
        return _SIMPLE[code]
    if code in "\\'\"`?":
        return code
    raise ExpressionError(f"escape {found.group()!r} of the string at column {at} is not known")
