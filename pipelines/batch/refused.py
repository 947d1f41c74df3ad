"""The side file of rows that have no prediction: a JSON line a problem, with the row, the rule and the remedy."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import IO, Any

import pyarrow as pa

from models.cells import plain
from models.feature import Feature
from models.findings import RowProblem

_LONGEST_TEXT = 200


def write_refused(
    file: IO[str],
    problems: Iterable[RowProblem],
    batch: pa.RecordBatch,
    *,
    first: int,
    keep: Sequence[str],
    features: Sequence[Feature],
) -> None:
    """Add the problems of a batch whose own first row is the file's row `first`; sensitive values are left out."""
    hidden = {feature.name for feature in features if feature.sensitive}
    for problem in problems:
        assert problem.row is not None  # noqa: S101  (missing columns were told before)
        kept = {name: _json(batch.column(name)[problem.row].as_py()) for name in keep}
        line = {
            "row": first + problem.row,
            "feature": problem.feature,
            "value": "(sensitive)" if problem.feature in hidden else _json(problem.value),
            "rule": problem.rule,
            "remedy": problem.remedy,
        }
        file.write(json.dumps(line | ({"kept": kept} if keep else {}), ensure_ascii=False) + "\n")


def _json(value: object) -> Any:
    value = plain(value)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)[:_LONGEST_TEXT]
