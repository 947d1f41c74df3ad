"""Export: one contract whatever the estimator, the same bytes for the same training, and a refusal that helps."""

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.spec import ModelSpec
from pipelines import graph
from pipelines.export import CannotExport, export, parity

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(300, 3)).astype(np.float32)
VALUES = ROWS[:, 0] * 3 + np.abs(ROWS[:, 1]) + 100
LABELS = np.where(ROWS[:, 0] > 0.5, "zebra", np.where(ROWS[:, 1] > 0, "ant", "mole"))


def spec(task: str, classes: tuple[str, ...] = ("zebra", "ant", "mole")) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "name": "thing",
            "task": task,
            "owner": "a@example.org",
            "description": "one line",
            "data": {"file": "thing.csv"},
            "target": {"name": "y", "classes": list(classes) if task == "classification" else []},
            "features": [{"name": name, "dtype": "float"} for name in "abc"],
        }
    )


def with_gaps() -> np.ndarray:
    rows = ROWS.copy()
    rows[::7, 1] = np.nan
    return rows


REGRESSORS: dict[str, tuple[Any, np.ndarray]] = {
    "ridge": (make_pipeline(StandardScaler(), Ridge()), ROWS),
    "gradient boosting": (GradientBoostingRegressor(n_estimators=20, random_state=0), ROWS),
    "histogram gradient boosting with missing values": (HistGradientBoostingRegressor(max_iter=20), with_gaps()),
    "histogram gradient boosting in a pipeline": (
        make_pipeline("passthrough", HistGradientBoostingRegressor(max_iter=20)),
        with_gaps(),
    ),
}


@pytest.mark.parametrize(("estimator", "rows"), REGRESSORS.values(), ids=REGRESSORS)
def test_regression_answers_with_its_interval(estimator: Any, rows: np.ndarray) -> None:
    fitted = estimator.fit(rows.astype(float), VALUES)
    data = export(fitted, spec("regression"), rows, 2.5)
    model = onnx.load_from_string(data)
    assert [value.name for value in model.graph.input] == ["rows"]
    assert [value.name for value in model.graph.output] == ["prediction", "lower", "upper"]
    found = graph.run(data, rows)
    assert found["prediction"].shape == (300,)
    assert np.allclose(found["prediction"] - found["lower"], 2.5, atol=1e-4)
    assert np.allclose(found["upper"] - found["prediction"], 2.5, atol=1e-4)
    assert parity(data, fitted, spec("regression"), rows).max_abs < 1e-3
    assert data == export(fitted, spec("regression"), rows, 2.5)


def test_trees_take_the_same_side_at_every_threshold() -> None:
    near = np.linspace(42.0, 42.0001, 400, dtype=np.float32)[:, None].repeat(3, axis=1)  # few float32 apart
    fitted = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=1, max_leaf_nodes=64)
    fitted.fit(near.astype(float), np.arange(400) % 7 * 100.0)
    assert parity(export(fitted, spec("regression"), near, None), fitted, spec("regression"), near).max_abs < 0.01


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), RandomForestClassifier(10, random_state=0)],
    ids=["logistic regression", "random forest"],
)
def test_probabilities_stand_in_the_order_of_the_declared_classes(estimator: Any) -> None:
    fitted = estimator.fit(ROWS.astype(float), LABELS)
    data = export(fitted, spec("classification"), ROWS, None)
    assert [value.name for value in onnx.load_from_string(data).graph.output] == ["probabilities"]
    expected = fitted.predict_proba(ROWS.astype(float))[:, [2, 0, 1]]  # sorted by the estimator: ant, mole, zebra
    assert np.allclose(graph.run(data, ROWS)["probabilities"], expected, atol=1e-5)
    found = parity(data, fitted, spec("classification"), ROWS)
    assert (found.label_mismatch, found.n_rows) == (0.0, 300)


def test_graph_tells_nothing_of_when_and_where_it_was_made() -> None:
    data = export(Ridge().fit(ROWS, VALUES), spec("regression"), ROWS, None)
    model = onnx.load_from_string(data)
    assert not model.doc_string
    assert not model.metadata_props
    assert not model.producer_version
    assert [value.name for value in model.graph.output] == ["prediction"]


def test_parity_sees_another_model() -> None:
    data = export(Ridge().fit(ROWS, VALUES), spec("regression"), ROWS, None)
    assert parity(data, Ridge().fit(ROWS, VALUES + 50), spec("regression"), ROWS).max_abs == pytest.approx(50, abs=0.01)


def test_parity_of_a_value_that_is_no_number_is_no_number() -> None:
    fitted = Ridge().fit(ROWS, VALUES)
    data = export(fitted, spec("regression"), ROWS, None)
    fitted.intercept_ = float("nan")
    assert np.isnan(parity(data, fitted, spec("regression"), ROWS).max_abs)
    assert np.isnan(parity(data, fitted, spec("regression"), ROWS[:0]).max_abs)


class Mine(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator that nobody ever wrote a converter for."""

    def fit(self, rows: np.ndarray, values: np.ndarray) -> "Mine":
        self.mean_ = float(np.mean(values))
        return self

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.full(len(rows), self.mean_)


def test_estimator_that_onnx_cannot_express_is_refused_with_a_way_out() -> None:
    with pytest.raises(
        CannotExport, match=r"thing: ONNX cannot express Mine: .*no converter.*; use an estimator"
    ) as told:
        export(Mine().fit(ROWS, VALUES), spec("regression"), ROWS, 1.0)
    assert told.value.exit_code == 2


def test_custom_step_in_a_pipeline_is_refused_too() -> None:
    with pytest.raises(CannotExport, match="Pipeline"):
        export(make_pipeline(StandardScaler(), Mine()).fit(ROWS, VALUES), spec("regression"), ROWS, 1.0)


def test_splits_by_sets_of_categories_are_refused() -> None:
    rows = RNG.integers(0, 5, size=(300, 3)).astype(float)
    fitted = HistGradientBoostingRegressor(categorical_features=[0], max_iter=5).fit(rows, rows[:, 0] % 2 * 9)
    with pytest.raises(CannotExport, match=r"categorical_features.*ordered codes"):
        export(fitted, spec("regression"), rows.astype(np.float32), 1.0)


def test_conversion_that_drops_a_part_silently_is_refused() -> None:
    fitted = HistGradientBoostingRegressor(loss="gamma", max_iter=5).fit(ROWS, VALUES)  # its link function is dropped
    with pytest.raises(CannotExport, match="differs from it by"):
        export(fitted, spec("regression"), ROWS, 1.0)


def test_class_that_was_never_seen_is_refused() -> None:
    fitted = LogisticRegression().fit(ROWS, LABELS)
    with pytest.raises(CannotExport, match="never saw class 'yak'"):
        export(fitted, spec("classification", ("zebra", "ant", "mole", "yak")), ROWS, None)


@pytest.mark.parametrize("constant", [-1.0, float("nan"), float("inf")])
def test_conformal_constant_must_be_a_width(constant: float) -> None:
    with pytest.raises(CannotExport, match="finite number >= 0"):
        export(Ridge().fit(ROWS, VALUES), spec("regression"), ROWS, constant)


def test_classification_has_no_interval() -> None:
    with pytest.raises(CannotExport, match="classification"):
        export(LogisticRegression().fit(ROWS, LABELS), spec("classification"), ROWS, 1.0)


def test_regressor_cannot_classify() -> None:
    with pytest.raises(CannotExport, match="no predict_proba"):
        export(Ridge().fit(ROWS, VALUES), spec("classification"), ROWS, None)


@pytest.mark.torch
def test_torch_module_gets_its_softmax_and_the_same_bytes() -> None:
    torch = pytest.importorskip("torch", reason="modules need torch, which has a lock of its own: make test-torch")
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    data = export(module, spec("classification"), ROWS, None)
    assert np.allclose(graph.run(data, ROWS)["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert parity(data, module, spec("classification"), ROWS).max_abs < 1e-5
    assert data == export(module, spec("classification"), ROWS, None)


@pytest.mark.torch
def test_torch_regression_answers_with_its_interval() -> None:
    torch = pytest.importorskip("torch", reason="modules need torch, which has a lock of its own: make test-torch")
    data = export(torch.nn.Linear(3, 1), spec("regression"), ROWS, 1.0)
    assert set(graph.run(data, ROWS[:1])) == {"prediction", "lower", "upper"}


@pytest.mark.torch
def test_torch_module_that_branches_on_values_is_refused() -> None:
    torch = pytest.importorskip("torch", reason="modules need torch, which has a lock of its own: make test-torch")

    class Branching(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, rows: Any) -> Any:
            return rows if float(rows.sum()) > 0 else -rows

    with pytest.raises(CannotExport, match="ONNX cannot express Branching"):
        export(Branching(), spec("classification"), ROWS, None)
