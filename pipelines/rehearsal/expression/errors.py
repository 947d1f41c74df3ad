"""Why a condition has no answer."""

from typing import ClassVar

from models.errors import MainlineError


class ExpressionError(MainlineError):
    """The condition is wrong, or raises for this result. A measurement whose condition raises is an Error."""

    exit_code: ClassVar[int] = 2


class UnsupportedExpression(ExpressionError):  # noqa: N818  (what happened)
    """The condition uses a part of the language that is not covered here; a cluster may well take it."""
