"""The window of losses: bounded in count and time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.serving.live_quality import WINDOW_ROWS, WINDOW_SECONDS, LiveQuality


def test_an_empty_window_has_no_quality() -> None:
    live = LiveQuality()
    assert (live.n_rows, math.isnan(live.mean_loss)) == (0, True)


def test_what_is_older_than_the_window_does_not_count() -> None:
    now = 0.0
    live = LiveQuality(lambda: now)
    live.add(1, 8.0)
    now = 100.0
    live.add(2, 2.0)
    assert (live.n_rows, live.mean_loss) == (2, 5.0)
    now = WINDOW_SECONDS + 1
    assert (live.n_rows, live.mean_loss) == (1, 2.0)
    now += 100.0
    assert live.n_rows == 0


def test_only_the_latest_rows_count() -> None:
    live = LiveQuality()
    for key in range(WINDOW_ROWS + 10):
        live.add(key, 100.0 if key < 10 else 1.0)
    assert (live.n_rows, live.mean_loss) == (WINDOW_ROWS, 1.0)


@given(told=st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1e6)), min_size=1, max_size=40))
def test_each_row_counts_once_with_the_last_that_was_told(told: list[tuple[int, float]]) -> None:
    live = LiveQuality()
    for key, loss in told:
        live.add(key, loss)
    last = dict(told)
    assert live.n_rows == len(last)
    assert live.mean_loss == pytest.approx(sum(last.values()) / len(last))
