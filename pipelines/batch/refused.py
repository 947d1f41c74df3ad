"""The side file of rows that have no prediction: a JSON line a problem, with the row, the rule and the remedy."""

import json
import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from models.cells import plain
from models.feature import Feature
from models.findings import RowProblem
from pipelines.batch.place import Place, hash_of
from pipelines.batch.receipt import refused_name

_LONGEST_TEXT = 200


class RefusedRows:
    """The side file of one file of rows, begun with its first problem; it appears when `published` ends."""

    def __init__(
        self, output: Place, name: str, published: ExitStack, *, features: Sequence[Feature], keep: Sequence[str]
    ) -> None:
        """Nothing yet.

        Args:
            features: the values of sensitive ones are left out.
            keep: columns that go along, so that the row is found again.
        """
        self._output, self._name, self._published = output, refused_name(name), published
        self._hidden = {feature.name for feature in features if feature.sensitive}
        self._keep = keep
        self._file: IO[str] | None = None
        self._path = Path()

    def add(self, problems: Iterable[RowProblem], batch: pa.RecordBatch, *, first: int) -> None:
        """The problems of a batch whose own first row is the file's row `first`."""
        file = self._file or self._begin()
        for problem in problems:
            row = problem.row or 0  # missing columns were told before
            line = {
                "row": first + row,
                "feature": problem.feature,
                "value": "(sensitive)" if problem.feature in self._hidden else _json(problem.value),
                "rule": problem.rule,
                "remedy": problem.remedy,
            }
            kept = {name: _json(batch.column(name)[row].as_py()) for name in self._keep}
            file.write(json.dumps(line | ({"kept": kept} if kept else {}), ensure_ascii=False) + "\n")

    def end(self) -> str:
        """Its sha256; empty where no row was refused. A side file of former rows is then emptied."""
        if self._file is None:
            if self._output.size(self._name) is not None:
                self._begin()
            return ""
        self._file.close()
        return hash_of(self._path)

    def _begin(self) -> IO[str]:
        self._path = self._published.enter_context(self._output.writing(self._name))
        self._file = self._published.enter_context(self._path.open("w", encoding="utf-8"))
        return self._file


def _json(value: object) -> Any:
    value = plain(value)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)[:_LONGEST_TEXT]
