"""Metrics against scikit-learn's, and intervals that mean what they say."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from pipelines.metrics import bootstrap, measure, metrics_of


def test_regression_metrics_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    target, said = rng.normal(size=50), rng.normal(size=50)
    outputs = {"prediction": said, "lower": said - 1, "upper": said + 1}
    found = measure(metrics_of("regression", has_interval=True), target, outputs)
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(target, said))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(target, said))
    assert found["r2"] == pytest.approx(sk.r2_score(target, said))
    assert found["coverage"] == pytest.approx(np.mean(np.abs(target - said) <= 1))
    assert found["interval_width"] == pytest.approx(2.0)


def test_classification_metrics_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    target, said = rng.integers(0, 3, 60), rng.dirichlet([1, 1, 1], 60)
    found = measure(metrics_of("classification", has_interval=False), target, {"probabilities": said})
    labels = said.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(target, labels))
    assert found["log_loss"] == pytest.approx(sk.log_loss(target, said, labels=[0, 1, 2]))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(target, labels, average="macro"))


def test_ece_of_honest_and_of_boastful_probabilities() -> None:
    target = np.array([0] * 8 + [1] * 2)
    honest, boastful = np.tile([0.8, 0.2], (10, 1)), np.tile([0.99, 0.01], (10, 1))
    ece = metrics_of("classification", has_interval=False)["ece"]
    assert ece(target, {"probabilities": honest}) == pytest.approx(0.0)
    assert ece(target, {"probabilities": boastful}) == pytest.approx(0.19)


@pytest.mark.parametrize("rows", [0, 3], ids=["no rows", "a NaN output"])
def test_what_cannot_be_measured_is_nan(rows: int) -> None:
    outputs = {"prediction": np.full(rows, np.nan)}
    found = measure(metrics_of("regression", has_interval=False), np.ones(rows), outputs)
    assert all(math.isnan(value) for value in found.values())


def test_bootstrap_covers_the_mean_and_repeats() -> None:
    values = np.random.default_rng(3).normal(5, 2, 400)

    def run() -> dict[str, float]:
        found = bootstrap(
            lambda rows: {"mean": float(values[rows].mean())},
            400,
            confidence=0.95,
            resamples=500,
            rng=np.random.default_rng(1),
        )["mean"]
        return {"low": found.low, "high": found.high}

    found = run()
    assert found == run()
    assert found["low"] < values.mean() < found["high"]
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.2)


def test_one_row_has_no_interval() -> None:
    found = bootstrap(lambda rows: {"x": 1.0}, 1, confidence=0.9, resamples=100, rng=np.random.default_rng(0))["x"]
    assert found.value == 1.0
    assert math.isnan(found.low)
