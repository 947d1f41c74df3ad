"""What encoding rows found: the matrix and its warnings, or a refusal that lists every problem. Used by `rows`."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.cells import Column, Odd, Refused
from models.errors import MainlineError

Matrix = npt.NDArray[np.float32]

MAX_PROBLEMS = 100  # enough to see the pattern; an answer that lists 10,000 helps nobody


@dataclass(frozen=True)
class RowProblem:
    """A value that breaks a rule. `row` counts from 0; None where the whole column is concerned."""

    row: int | None
    feature: str
    value: object
    rule: str
    remedy: str

    def __str__(self) -> str:
        where = "every row" if self.row is None else f"row {self.row}"
        # repr would follow lists in lists as deep as the interpreter's stack
        value = reprlib.repr(self.value) if isinstance(self.value, list | dict) else repr(self.value)
        return f"{where}: {self.feature}: got {value:.80}, {self.rule}, {self.remedy}"


@dataclass(frozen=True)
class Encoded:
    """`matrix` is (n_rows, n_features) float32; `warnings` holds at most 100 of the `n_warnings` odd values."""

    matrix: Matrix
    warnings: list[RowProblem]
    n_warnings: int = 0


@dataclass(frozen=True)
class Sifted:
    """`matrix` is (n_rows, n_features) float32, NaN where refused; `refused` holds every problem, in order of rows."""

    matrix: Matrix
    refused: list[RowProblem]
    n_warnings: int


class RowsRefused(MainlineError):  # noqa: N818  (what happened, in the domain's words)
    """Rows that break the spec's rules; `problems` holds at most 100 of the `n_problems`."""

    exit_code = 3

    def __init__(self, problems: Sequence[RowProblem], n_problems: int) -> None:
        self.problems, self.n_problems = list(problems), n_problems
        more = [f"... and {n_problems - 10} more"] if n_problems > 10 else []
        super().__init__("\n".join([*map(str, self.problems[:10]), *more]))


class Findings:
    """Refusals and warnings on the way, told in the order of rows."""

    def __init__(self) -> None:
        self._refused: list[RowProblem] = []
        self._odd: list[RowProblem] = []
        self._more_refused = self._more_odd = 0

    def ask(self, column: Column, row: int, value: Any) -> float:
        """The number for `value`; a refused one is noted, and NaN stands in for it."""
        name = column.feature.name
        try:
            return column.cell(value)
        except Odd as odd:
            self._odd.append(RowProblem(row, name, value, odd.rule, odd.remedy))
            return odd.number
        except Refused as refused:
            self.refuse(RowProblem(row, name, value, refused.rule, refused.remedy))
            return np.nan

    def refuse(self, problem: RowProblem) -> None:
        """Note a refusal that no cell found."""
        self._refused.append(problem)

    def more(self, *, refused: int, odd: int) -> None:
        """Count what is not told one by one: cells after the first `MAX_PROBLEMS` of their kind."""
        self._more_refused += refused
        self._more_odd += odd

    def encoded(self, matrix: Matrix) -> Encoded:
        """The result.

        Raises:
            RowsRefused: anything was refused.
        """
        if self._refused:
            raise RowsRefused(_first(self._refused), len(self._refused) + self._more_refused)
        return Encoded(matrix, _first(self._odd), len(self._odd) + self._more_odd)

    def sifted(self, matrix: Matrix) -> Sifted:
        """The result, whatever was refused."""
        return Sifted(matrix, _in_order(self._refused), len(self._odd))


def _in_order(problems: list[RowProblem]) -> list[RowProblem]:
    return sorted(problems, key=lambda p: -1 if p.row is None else p.row)


def _first(problems: list[RowProblem]) -> list[RowProblem]:
    return _in_order(problems)[:MAX_PROBLEMS]
