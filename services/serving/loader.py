"""From settings to a model that may answer: fetched, every hash checked, loaded, golden rows predicted."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.bundle import Bundle, Digest
from models.errors import MainlineError
from models.predictor import Predictor
from models.rows import encode
from models.store import fetch
from services.serving.settings import Settings

# Long enough for a clock, and so short that a start is not longer for it.
_LONG_SECONDS, _MANY_ROWS = 0.000_25, 4096
_LEAST_RUNS, _MOST_RUNS = 2, 5  # the first one of a size takes memory


class WrongModel(MainlineError):  # noqa: N818  (what happened)
    """The bundle at the address is a different model's."""


@dataclass(frozen=True)
class Served:
    """The one model that this process answers with.

    Attributes:
        load_seconds: time to fetch, verify, load and self-test it.
        row_seconds: what the graph takes for a row among many, as it was measured then; infinite where it was not.
    """

    bundle: Bundle
    predictor: Predictor
    load_seconds: float
    row_seconds: float = math.inf

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features in the order of the graph's columns."""
        return tuple(feature.name for feature in self.bundle.features)


def load(settings: Settings) -> Served:
    """The model that the settings name, verified and self-tested.

    Raises:
        MainlineError: the bundle cannot be had, has another digest, is another model's, or fails its golden rows.
    """
    begun = time.monotonic()
    bundle = fetch(settings.uri, settings.cache / settings.digest.removeprefix("sha256:"), Digest(settings.digest))
    if bundle.manifest.model != settings.model:
        raise WrongModel(
            f"{settings.uri}: holds model {bundle.manifest.model!r}, MAINLINE_MODEL is {settings.model!r}: "
            "the release must name the bundle of its own model; promote again"
        )
    predictor = Predictor(bundle)
    predictor.self_test()
    row_seconds = seconds_a_row(predictor)
    return Served(bundle, predictor, time.monotonic() - begun, row_seconds)


def seconds_a_row(predictor: Predictor, clock: Callable[[], float] = time.thread_time) -> float:
    """What the graph takes for a row among many: the least of some runs of about a quarter of a millisecond.

    Args:
        clock: seconds that this thread had of a processor. Others want it too while a server starts.
    """
    golden = encode(predictor.bundle.golden.rows, predictor.bundle.features).matrix
    n_rows = len(golden)
    while True:
        rows = np.resize(golden, (n_rows, golden.shape[1]))
        took: list[float] = []
        while len(took) < _LEAST_RUNS or (len(took) < _MOST_RUNS and sum(took) < _LONG_SECONDS):
            begun = clock()
            predictor.predict(rows)
            took.append(clock() - begun)
        if min(took) >= _LONG_SECONDS or n_rows >= _MANY_ROWS:
            return min(took) / n_rows
        n_rows *= 2
