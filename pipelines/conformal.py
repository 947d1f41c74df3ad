"""Split-conformal intervals: one constant, from rows that the fit did not see, that widens every prediction alike."""

import math

import numpy as np
import numpy.typing as npt

from pipelines.errors import TrainingFailed


def conformal_constant(residuals: npt.NDArray[np.float64], coverage: float) -> float:
    """Half-width that covers a new row with probability of at least `coverage`, in the target's unit.

    Args:
        residuals: (n,) absolute errors on calibration rows.
        coverage: in (0, 1).

    Raises:
        TrainingFailed: so few rows cannot show such a coverage, or an error is not finite.

    Source: the ceil((n + 1) * coverage)-th smallest error (Vovk; Lei et al. 2018).
    """
    rank = math.ceil((len(residuals) + 1) * coverage)
    if rank > len(residuals):
        needed = math.ceil(round(coverage / (1 - coverage), 6))  # 0.9 / (1 - 0.9) is a little above 9
        raise TrainingFailed(
            f"interval: got {len(residuals)} calibration rows, coverage {coverage:g} needs at least {needed}; "
            "add rows, raise interval.calibration, or lower interval.coverage"
        )
    if not np.isfinite(residuals).all():
        raise TrainingFailed("interval: got predictions that are not finite on calibration rows; the fit has diverged")
    return float(np.sort(residuals)[rank - 1])
