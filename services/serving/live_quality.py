"""How good this pod's answers were, as far as it was told: the mean loss over a window of the latest truths.

A hint for a dashboard, no gate. One pod sees only those truths that came to itself, about answers that it gave itself
and still remembers: with three pods a ninth of all, and none that comes later than its memory lasts. The gate
`live-quality` (services/drift/quality.py) sees all of them: it joins truths and answers of all pods through the capture
log, and compares with stable on the same rows, so that a world that got harder fails nobody.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

# The error of a share is then at most 1.6 points, and a model that turned bad shows before the hour is over.
WINDOW_ROWS = 1_000
WINDOW_SECONDS = 3600.0


class LiveQuality:
    """A loss for each row of the window: an absolute error in the target's unit, or 1 for a wrong class, else 0."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._losses: OrderedDict[int, tuple[float, float]] = OrderedDict()  # key: (told at, loss), oldest first

    def add(self, key: int, loss: float) -> None:
        """Takes the loss of a row; another of the same row replaces it."""
        self._losses.pop(key, None)
        self._losses[key] = (self._clock(), loss)
        if len(self._losses) > WINDOW_ROWS:
            self._losses.popitem(last=False)

    @property
    def n_rows(self) -> int:
        """Rows in the window."""
        oldest = self._clock() - WINDOW_SECONDS
        while self._losses and next(iter(self._losses.values()))[0] < oldest:
            self._losses.popitem(last=False)
        return len(self._losses)

    @property
    def mean_loss(self) -> float:
        """Over the window; NaN where it is empty, for no error at all would be a lie."""
        n_rows = self.n_rows
        return math.fsum(loss for _, loss in self._losses.values()) / n_rows if n_rows else math.nan
