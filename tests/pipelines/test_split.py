"""The split stays where it is when data grow, and equal keys are never parted."""

import numpy as np
import pandas as pd

from pipelines.split import CALIBRATION, held_out_mask


def test_more_data_moves_no_old_row() -> None:
    new = pd.DataFrame({"id": range(1000)})
    old = new.iloc[::2]
    assert (held_out_mask(new, ["id"], 0.25)[::2] == held_out_mask(old, ["id"], 0.25)).all()


def test_share_is_met_roughly_and_salts_are_independent() -> None:
    rows = pd.DataFrame({"id": range(4000)})
    first, second = held_out_mask(rows, ["id"], 0.25), held_out_mask(rows, ["id"], 0.25, salt=CALIBRATION)
    assert abs(first.mean() - 0.25) < 0.03
    assert abs(second[first].mean() - 0.25) < 0.06


def test_equal_keys_are_on_one_side_however_they_are_typed() -> None:
    rows = pd.DataFrame({"a": pd.Series([1, 1.0, None, np.nan, "x", "x"], dtype=object), "b": [1] * 6})
    sides = held_out_mask(rows, ["a", "b"], 0.5)
    assert [sides[0], sides[2], sides[4]] == [sides[1], sides[3], sides[5]]


def test_the_split_is_pinned() -> None:
    """A change of the hash moves rows between training and held out, and makes every champion incomparable."""
    assert held_out_mask(pd.DataFrame({"id": range(12)}), ["id"], 0.5).nonzero()[0].tolist() == PINNED


PINNED = [0, 1, 2, 11]
