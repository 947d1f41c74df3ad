"""A specimen's window is a capture log that the rehearsal can replay."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.rehearsal.replay import captured_rows
from tests.specimens.catalogue import cases
from tests.specimens.making import made
from tests.specimens.windows import ROWS, captured

CASES = {str(case): case for case in cases()}


def test_a_window_holds_rows_of_the_model_most_of_them_distinct(tmp_path: Path) -> None:
    rows = captured_rows(captured(CASES["slow-iris"], tmp_path), made("iris-stable"))
    assert len(rows) == ROWS
    assert len({tuple(row.values()) for row in rows}) > 0.9 * ROWS


def test_a_drifted_window_is_another_worlds(tmp_path: Path) -> None:
    here, there = (
        np.array([row["bmi"] for row in captured_rows(captured(CASES[name], tmp_path / name), made("diabetes-stable"))])
        for name in ("better-model-diabetes", "drifted-world-diabetes")
    )
    assert there.mean() - here.mean() == pytest.approx(here.std(), rel=0.2)
