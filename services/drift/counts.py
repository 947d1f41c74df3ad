"""The exact test of two samples of counts: categories, or values that are missing. Valid at any size."""

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom


def count_p_value(expected: npt.NDArray[np.int64], observed: npt.NDArray[np.int64]) -> float:
    """Probability, at most, of counts so different, or more, in two samples of one population.

    Fisher's exact test of each category against all others, the smallest p-value times the number of categories that
    occur. So its false alarms are at most the level for every size of either sample, and a category that the reference
    never had is no special case.

    Args:
        expected, observed: (n_categories,) counts in the same order.

    Returns:
        1 where either sample is empty.

    Source: Fisher, The logic of inductive inference, 1935, two-sided by doubling; Bonferroni's inequality.
    """
    both = expected + observed
    n_expected, n_observed = int(expected.sum()), int(observed.sum())
    some = both > 0
    if n_expected == 0 or n_observed == 0 or some.sum() < 2:
        return 1.0
    seen, drawn = both[some], observed[some]
    total = n_expected + n_observed
    above = hypergeom.sf(drawn - 1, total, seen, n_observed)
    below = hypergeom.cdf(drawn, total, seen, n_observed)
    smallest = float(np.min(np.minimum(above, below)))
    # two categories are one question: one more of the first is one less of the second
    questions = 1 if some.sum() == 2 else int(some.sum())
    return min(1.0, 2.0 * smallest * questions)
