"""Evidently's numbers: the only module that imports it. Each takes values without NaN; method and threshold are stated.

Evidently's registered tests are called one by one: the same numbers as its reports give for `ValueDrift`, at 0.4 ms
where a report takes 30 ms. Its chi-square is not used: it takes the reference for the truth. At a level of 0.001 and a
reference of 113 rows it fired on 56 % of windows of the same population, the test in `counts` on none of 2,000.
"""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # on import it uses names that numpy, plotly and litestar deprecate
    from evidently.legacy.calculations.stattests import jensenshannon_stat_test, ks_stat_test, wasserstein_stat_test
    from evidently.legacy.core import ColumnType

Values = npt.NDArray[np.float64]

# Above this product of sizes the exact p-value of two unequal samples takes tens of milliseconds a feature; of two
# equal ones, 2 ms.
_MAX_UNEQUAL = 1_000_000
_NEVER = 1.0  # the threshold only sets a flag that nothing reads


def ks_p_value(expected: Values, observed: Values) -> float:
    """p-value of the two-sample Kolmogorov-Smirnov test: exact at any size, conservative where values are equal.

    Above 1,000 rows on both sides the larger sample is thinned, evenly, to the size of the smaller.

    Source: Evidently `ks`; Hodges, The significance probability of the Smirnov two-sample test, 1958.
    """
    small, large = sorted((len(expected), len(observed)))
    most = large
    if small * large > _MAX_UNEQUAL:
        most = small if small >= 1000 else _MAX_UNEQUAL // small
    return _run(ks_stat_test, thinned(expected, most), thinned(observed, most), ColumnType.Numerical)


def wasserstein(expected: Values, observed: Values) -> float:
    """How far, on average, a value has to be moved to make `observed` of `expected`, in expected's deviations.

    Source: Evidently `wasserstein`, which puts 0.001 in place of smaller deviations: so it is given scaled values.
    """
    deviation = float(np.std(expected))
    return _run(wasserstein_stat_test, expected / deviation, observed / deviation, ColumnType.Numerical)


def jensenshannon(expected: Values, observed: Values) -> float:
    """Jensen-Shannon distance of two samples of categories, in [0, 0.83]: natural logarithm, root of the divergence.

    Source: Evidently `jensenshannon`.
    """
    return _run(jensenshannon_stat_test, expected, observed, ColumnType.Categorical)


def thinned(values: Values, most: int) -> Values:
    """At most `most` of the values, evenly spaced."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(np.intp)]


def _run(test: Any, expected: Values, observed: Values, kind: ColumnType) -> float:
    with warnings.catch_warnings():
        # scipy tells where it cannot count an exact p-value near 1 and takes the asymptotic one
        warnings.simplefilter("ignore", RuntimeWarning)
        result = test(pd.Series(expected), pd.Series(observed), kind, _NEVER)
    return float(result.drift_score)
