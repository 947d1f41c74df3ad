"""Metrics of predictions on held-out rows, each with a bootstrap interval. Pure: arrays in, numbers out.

Outputs are what the bundle's graph answers: `probabilities` (n, n_classes) for a classification; `prediction`, `lower`
and `upper` (n,) for a regression. Targets are class indices (n,) or values (n,).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Outputs = Mapping[str, npt.NDArray[np.floating]]
Metric = Callable[[npt.NDArray[np.generic], Outputs], float]

LOWER_IS_BETTER = frozenset({"rmse", "mae", "log_loss", "ece", "interval_width"})
ECE_BINS = 10
_SMALLEST_PROBABILITY = 1e-7  # float32 outputs: below this a probability is rounding, not confidence


@dataclass(frozen=True)
class Interval:
    """A measured value with the ends of its bootstrap interval, all in the metric's unit; NaN where it has no value."""

    value: float
    low: float
    high: float


def rmse(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean(_residuals(target, outputs) ** 2)))


def mae(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.mean(np.abs(_residuals(target, outputs))))


def r2(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Share of the target's variance that is explained; NaN where the target is constant."""
    values = target.astype(np.float64)
    total = float(np.sum((values - values.mean()) ** 2))
    return 1.0 - float(np.sum(_residuals(target, outputs) ** 2)) / total if total > 0 else float("nan")


def coverage(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Share of rows whose value lies inside [lower, upper]."""
    values = target.astype(np.float64)
    return float(np.mean((values >= outputs["lower"]) & (values <= outputs["upper"])))


def interval_width(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Mean of upper - lower, in the target's unit."""
    return float(np.mean(outputs["upper"].astype(np.float64) - outputs["lower"].astype(np.float64)))


def accuracy(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Share of rows whose most probable class is theirs."""
    return float(np.mean(_labels(outputs) == target))


def log_loss(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Mean negative log of the probability given to a row's class, in nats."""
    own = outputs["probabilities"][np.arange(len(target)), target.astype(np.int64)].astype(np.float64)
    return float(np.mean(-np.log(np.maximum(own, _SMALLEST_PROBABILITY)) + 0 * own))  # NaN stays NaN


def macro_f1(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Unweighted mean of the F1 of the classes that stand among targets or predictions."""
    n_classes = outputs["probabilities"].shape[1]
    truth = target.astype(np.int64)
    labels = _labels(outputs)
    pairs = np.bincount(truth * n_classes + labels, minlength=n_classes**2).reshape(n_classes, n_classes)
    present = pairs.sum(axis=0) + pairs.sum(axis=1)
    return float(np.mean(2 * np.diag(pairs)[present > 0] / present[present > 0]))


def ece(target: npt.NDArray[np.generic], outputs: Outputs) -> float:
    """Expected calibration error: |confidence - accuracy|, averaged over ten bins of confidence by their rows."""
    confidence = outputs["probabilities"].max(axis=1).astype(np.float64)
    if not np.isfinite(confidence).all():
        return float("nan")
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gap = np.bincount(bins, weights=confidence - (_labels(outputs) == target), minlength=ECE_BINS)
    return float(np.sum(np.abs(gap)) / len(target))


REGRESSION: Mapping[str, Metric] = {"rmse": rmse, "mae": mae, "r2": r2}
INTERVAL: Mapping[str, Metric] = {"coverage": coverage, "interval_width": interval_width}
CLASSIFICATION: Mapping[str, Metric] = {"accuracy": accuracy, "log_loss": log_loss, "macro_f1": macro_f1, "ece": ece}


def metrics_of(task: str, *, has_interval: bool) -> Mapping[str, Metric]:
    """The metrics that a task is measured by."""
    if task == "classification":
        return CLASSIFICATION
    return {**REGRESSION, **INTERVAL} if has_interval else REGRESSION


def measure(metrics: Mapping[str, Metric], target: npt.NDArray[np.generic], outputs: Outputs) -> dict[str, float]:
    """Every metric over the given rows; NaN where there are none, or where an output is NaN."""
    if len(target) == 0 or any(not np.isfinite(values).all() for values in outputs.values()):
        return dict.fromkeys(metrics, float("nan"))
    return {name: metric(target, outputs) for name, metric in metrics.items()}


def bootstrap(
    statistics: Callable[[npt.NDArray[np.int64]], Mapping[str, float]],
    n_rows: int,
    *,
    confidence: float,
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, Interval]:
    """Percentile bootstrap intervals of several statistics over the same resamples, so that differences are paired.

    Args:
        statistics: from row numbers (n_rows,), with repeats, to named numbers.
        n_rows: rows to draw from; with fewer than two every interval is NaN.
        confidence: share of resamples inside the interval, in (0, 1).
        resamples: how many times all rows are drawn anew.
        rng: seeded by the caller; equal seeds give equal intervals.
    """
    values = statistics(np.arange(n_rows))
    if n_rows < 2:
        return {name: Interval(value, float("nan"), float("nan")) for name, value in values.items()}
    draws = np.empty((resamples, len(values)))
    for number in range(resamples):
        draws[number] = list(statistics(rng.integers(0, n_rows, n_rows)).values())
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    with np.errstate(invalid="ignore"):
        ends = np.quantile(draws, tails, axis=0)
    return {
        name: Interval(value, float(ends[0, i]), float(ends[1, i])) for i, (name, value) in enumerate(values.items())
    }


def take(outputs: Outputs, rows: npt.NDArray[np.generic]) -> dict[str, npt.NDArray[np.floating]]:
    """The outputs of some rows, by numbers or by mask."""
    return {name: values[rows] for name, values in outputs.items()}


def _residuals(target: npt.NDArray[np.generic], outputs: Outputs) -> Floats:
    residuals: Floats = target.astype(np.float64) - outputs["prediction"].astype(np.float64)
    return residuals


def _labels(outputs: Outputs) -> npt.NDArray[np.int64]:
    labels: npt.NDArray[np.int64] = np.argmax(outputs["probabilities"], axis=1).astype(np.int64)
    return labels
