"""What a row costs is measured when the model is loaded."""

import math
from typing import Any

import numpy as np
import pytest

from models.bundle import open_bundle
from models.predictor import Predictor
from services.serving.loader import Served, seconds_a_row
from tests.services.serving.conftest import Made


class Paced(Predictor):
    """Takes what it is told to, by a clock of its own."""

    def __init__(self, made: Made, call_seconds: float, row_seconds: float) -> None:
        super().__init__(open_bundle(made.folder, None))
        self.now = 0.0
        self.asked: list[int] = []
        self._costs = (call_seconds, row_seconds)

    def predict(self, matrix: Any) -> Any:
        self.asked.append(len(matrix))
        self.now += self._costs[0] + self._costs[1] * len(matrix)
        return {"prediction": np.zeros(len(matrix), dtype=np.float32)}


@pytest.mark.parametrize(
    ("call_seconds", "row_seconds", "most_rows"),
    [(1e-5, 1e-7, 4096), (0, 1e-9, 4096 + 2048), (1e-5, 1e-2, 64)],
    ids=["quick", "quicker than the clock can tell", "slow"],
)
def test_a_row_is_timed_among_as_many_as_a_clock_needs(
    regression: Made, call_seconds: float, row_seconds: float, most_rows: int
) -> None:
    paced = Paced(regression, call_seconds, row_seconds)
    assert seconds_a_row(paced, lambda: paced.now) == pytest.approx(row_seconds, rel=0.1)
    assert max(paced.asked) <= most_rows
    assert paced.now < 100 * max(0.000_25, row_seconds), "a start waits for it"


def test_a_model_that_was_not_timed_is_not_taken_for_a_quick_one(regression: Made) -> None:
    bundle = open_bundle(regression.folder, None)
    assert Served(bundle, Predictor(bundle), 0.0).row_seconds == math.inf
