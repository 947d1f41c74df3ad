"""The capture log of one version in the simulated world: when rows came, which they were, what the version answered."""

import math
from bisect import bisect_left, bisect_right

import numpy as np
import numpy.typing as npt

from models.findings import Matrix
from models.predictor import Outputs
from pipelines.rehearsal.simulate.pool import Version, load_features, traffic_rows
from pipelines.rehearsal.simulate.scenario import Scenario

# A part is written every 10 s, and its upload takes a moment.
FLUSH_SECONDS = 11.0
_MOST = 5000


class Captured:
    """Rows are counted as they come, and drawn when somebody reads them: nothing else depends on their values."""

    def __init__(self, version: Version, scenario: Scenario, chance: np.random.Generator, *, fails: bool) -> None:
        self.version, self._scenario, self._chance, self._fails = version, scenario, chance, fails
        self._ends: list[float] = []
        self._totals: list[int] = [0]
        self._drawn: dict[int, tuple[Matrix, Outputs]] = {}
        self.first_request: float | None = None

    def add(self, end: float, count: int) -> None:
        """`count` more rows were captured until `end`."""
        if count:
            self._ends.append(end)
            self._totals.append(self._totals[-1] + count)

    @property
    def first(self) -> float | None:
        """When the first row came; None without any."""
        return self._ends[0] if self._ends else None

    def seconds_until(self, rows: int) -> float:
        """From the first request until so many rows could be read; infinite where there never were."""
        index = bisect_left(self._totals, rows)
        if index >= len(self._totals) or self.first_request is None:
            return math.inf
        return self._ends[index - 1] + FLUSH_SECONDS - self.first_request

    def window(self, since: float, now: float) -> tuple[npt.NDArray[np.float64], Matrix, Outputs]:
        """Times, rows and answers of the newest rows from `since` on that have been written by `now`, at most 5,000."""
        written = bisect_right(self._ends, now - FLUSH_SECONDS)
        before = bisect_right(self._ends, since)
        count = min(self._totals[written] - self._totals[min(before, written)], _MOST)
        chunks = range(max(written - 1, 0), before - 1, -1)
        times: list[float] = []
        rows: list[Matrix] = []
        outputs: list[Outputs] = []
        for index in chunks:
            if len(times) >= count:
                break
            drawn, answers = self._chunk(index)
            times += [self._ends[index]] * len(drawn)
            rows.append(drawn)
            outputs.append(answers)
        names = outputs[0].keys() if outputs else ()
        joined = {name: np.concatenate([each[name] for each in outputs])[:count] for name in names}
        matrix = np.concatenate(rows)[:count] if rows else np.empty((0, len(load_features(self._scenario.model))), "f4")
        return np.array(times[:count]), matrix, joined

    def _chunk(self, index: int) -> tuple[Matrix, Outputs]:
        if index not in self._drawn:
            scenario = self._scenario
            count = min(self._totals[index + 1] - self._totals[index], _MOST)
            rows = traffic_rows(scenario.model, scenario.drift, count, self._chance)
            again = self._chance.random(count) < scenario.traffic.repeated
            rows[again] = rows[self._chance.integers(0, count, int(again.sum()))]
            if self._fails and scenario.fails_on is not None:
                rows = rows[~failing(scenario.model, scenario.fails_on, rows)]
            self._drawn[index] = rows, self.version.predictor.predict(rows)
        return self._drawn[index]


def failing(model: str, fails_on: tuple[str, str], rows: Matrix) -> npt.NDArray[np.bool_]:
    """Which rows have the category."""
    name, category = fails_on
    features = load_features(model)
    column = [feature.name for feature in features].index(name)
    found: npt.NDArray[np.bool_] = rows[:, column] == features[column].categories.index(category)
    return found
