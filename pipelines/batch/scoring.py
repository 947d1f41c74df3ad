"""Rows of a batch through the model's declaration and its graph: answers for the good ones, reasons for the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.findings import Matrix, RowProblem
from models.predictor import Outputs, Predictor
from models.rows import sift_columns

# Rows of one call of the graph. Trees are quickest while rows and nodes share the processor's cache; linear models do
# not mind. It is one for all, so that two workers write the same bytes.
CHUNK_ROWS = 256


@dataclass(frozen=True)
class Scored:
    """What became of a batch.

    Attributes:
        rows: (n_good,) int64, indices in the batch of the rows that have an answer, ascending.
        outputs: the answers, (n_good, ...) each, by the graph's names.
        refused: why each other row has none; several problems of one row stand together.
        n_warnings: values that the model was not trained for and that its declaration lets pass.
    """

    rows: npt.NDArray[np.int64]
    outputs: Outputs
    refused: list[RowProblem]
    n_warnings: int


def score(predictor: Predictor, columns: Mapping[str, Any]) -> Scored:
    """Check and predict a batch; `columns` are as `models.rows.encode_columns` takes them."""
    sifted = sift_columns(columns, predictor.bundle.features)
    good = np.ones(len(sifted.matrix), dtype=bool)
    good[np.array([problem.row for problem in sifted.refused], dtype=np.int64)] = False
    rows = np.flatnonzero(good)
    outputs = run(predictor, sifted.matrix if len(rows) == len(good) else sifted.matrix[rows])
    finite = np.ones(len(rows), dtype=bool)
    for answers in outputs.values():
        finite &= np.isfinite(answers) if answers.ndim == 1 else np.isfinite(answers).all(axis=1)
    if finite.all():
        return Scored(rows, outputs, sifted.refused, sifted.n_warnings)
    refused = [*sifted.refused, *map(_no_answer, rows[~finite].tolist())]
    answered = {name: answers[finite] for name, answers in outputs.items()}
    return Scored(rows[finite], answered, sorted(refused, key=_row), sifted.n_warnings)


def run(predictor: Predictor, matrix: Matrix) -> Outputs:
    """The graph's outputs for (n, n_features) float32, in calls of `CHUNK_ROWS`."""
    if len(matrix) <= CHUNK_ROWS:
        return predictor.predict(matrix)
    parts = [predictor.predict(matrix[start : start + CHUNK_ROWS]) for start in range(0, len(matrix), CHUNK_ROWS)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def told(name: str, problems: Sequence[RowProblem], first: int, most: int = 10) -> str:
    """The first problems of a batch of a file, which begins with row `first`; values are the side file's alone."""
    lines = [
        f"{name}: row {first + (problem.row or 0)}: {problem.feature}: {problem.rule}, {problem.remedy}"
        for problem in problems[:most]
    ]
    return "\n".join(lines)


def _no_answer(row: int) -> RowProblem:
    return RowProblem(
        row, "prediction", "not finite", "an answer is finite", "send values nearer to the declared ranges"
    )


def _row(problem: RowProblem) -> int:
    return -1 if problem.row is None else problem.row
