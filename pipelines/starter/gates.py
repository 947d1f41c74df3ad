"""Limits for a new model's gates, from its table alone: better than the predictor that looks at no feature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SKILL = 0.95  # of the trivial predictor's error: five percent better is the least that is worth serving
MARGIN = 0.05  # of the trivial predictor's error: how much worse than the champion a candidate may be


@dataclass(frozen=True)
class Limits:
    """The numbers of gates.yaml that depend on the table.

    Attributes:
        metric: the champion metric: rmse or log_loss.
        trivial: what the predictor without features scores on the held-out rows, in the metric's unit.
        ceiling: the most that a model may score.
        margin: how much worse than the champion a candidate may be.
        calibration: the most that calibration may be off; a share.
        parity: how far the graph may be from the estimator, in the output's unit.
    """

    metric: str
    trivial: float
    ceiling: float
    margin: float
    calibration: float
    parity: float


def regression_limits(target: npt.NDArray[np.float64], held_out: npt.NDArray[np.bool_]) -> Limits:
    """Limits of a regression; trivial is the mean of the training rows."""
    trivial = float(np.sqrt(np.mean((target[held_out] - target[~held_out].mean()) ** 2)))
    spread = float(np.std(target[~held_out]))
    # float32 keeps seven digits of the value itself, which may be large against its spread
    parity = max(1e-3 * spread, 1e-5 * float(np.abs(target).max()))
    return Limits("rmse", _short(trivial), _short(SKILL * trivial), _short(MARGIN * trivial), 0.1, _short(parity))


def classification_limits(target: npt.NDArray[np.generic], held_out: npt.NDArray[np.bool_]) -> Limits:
    """Limits of a classification; trivial answers the training rows' share of each class to every row."""
    classes = np.unique(target)
    shares = np.array([np.mean(target[~held_out] == each) for each in classes])
    counts = np.array([np.sum(target[held_out] == each) for each in classes])
    trivial = float(-np.sum(counts * np.log(np.maximum(shares, 1e-7))) / max(1, counts.sum()))
    # the calibration error of a perfect model in ten bins of few rows is about 0.3 x sqrt(10 / rows)
    calibration = min(0.5, 0.1 + 0.3 * math.sqrt(10 / max(1, int(counts.sum()))))
    return Limits(
        "log_loss", _short(trivial), _short(SKILL * trivial), _short(MARGIN * trivial), round(calibration, 2), 1e-3
    )


def _short(value: float) -> float:
    """Three significant digits: a limit that a person can remember."""
    return float(f"{value:.3g}")
