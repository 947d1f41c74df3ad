"""Linear models in plain ONNX: the same answers, for a row alone to the last bit, and nothing else is touched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, RobustScaler, StandardScaler
from sklearn.svm import SVR

from models.spec import ModelSpec
from pipelines import export, graph
from pipelines.linear_graph import plain_linear

Floats = npt.NDArray[np.float32]

RNG = np.random.default_rng(0)
ROWS: Floats = (RNG.normal(size=(300, 5)) * [1, 10, 3, 0.1, 1] + [0, 50, -5, 1, 2]).astype(np.float32)
SCORES = ROWS[:, 0] + (ROWS[:, 1] - 50) / 10 + RNG.normal(size=300) / 2
TARGETS = {
    "a value": SCORES + 20,
    "two classes": np.digitize(SCORES, [0]),
    "three classes": np.digitize(SCORES, [-1, 1]),
}

GEMM = ["Cast", "Gemm", "Cast"]  # in float64, a Scaler's place taken by the first Cast
LOGISTIC, SOFTMAX, VALUE = ["Sigmoid", "Cast"], ["Softmax", "Cast"], ["Reshape", "Cast"]
SHARES = ["Slice", "Slice", "Slice", "Concat", "LpNormalization", "Cast"]
# what scikit-learn fits, to which target, and the operators wanted
LINEAR: dict[str, tuple[Any, str, list[str]]] = {
    "logistic": (LogisticRegression(), "two classes", ["Gemm", *LOGISTIC]),
    "logistic by liblinear": (LogisticRegression(solver="liblinear"), "two classes", ["Gemm", *LOGISTIC]),
    "scaled logistic": (make_pipeline(StandardScaler(), LogisticRegression()), "two classes", GEMM + LOGISTIC),
    "scaled without mean": (
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
        "two classes",
        GEMM + LOGISTIC,
    ),
    "scaled without deviation": (
        make_pipeline(StandardScaler(with_std=False), LogisticRegression()),
        "two classes",
        GEMM + LOGISTIC,
    ),
    "scaled without either": (
        make_pipeline(StandardScaler(with_mean=False, with_std=False), LogisticRegression()),
        "two classes",
        ["Gemm", *LOGISTIC],
    ),
    "robust scaler": (make_pipeline(RobustScaler(), LogisticRegression()), "two classes", GEMM + LOGISTIC),
    "largest value scaler": (make_pipeline(MaxAbsScaler(), LogisticRegression()), "two classes", GEMM + LOGISTIC),
    "no intercept": (LogisticRegression(fit_intercept=False), "two classes", ["Gemm", *LOGISTIC]),
    "multinomial": (LogisticRegression(solver="newton-cholesky"), "three classes", ["Gemm", *SOFTMAX]),
    "scaled multinomial": (make_pipeline(StandardScaler(), LogisticRegression()), "three classes", GEMM + SOFTMAX),
    "one against the rest": (
        OneVsRestClassifier(LogisticRegression()),
        "three classes",
        ["Gemm", "Sigmoid"] * 3 + SHARES,
    ),
    "scaled once, one against the rest": (
        make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())),
        "three classes",
        ["Cast"] + ["Gemm", "Cast", "Sigmoid"] * 3 + SHARES,
    ),
    "least squares": (LinearRegression(), "a value", ["Gemm", *VALUE]),
    "no intercept of a value": (LinearRegression(fit_intercept=False), "a value", ["Gemm", *VALUE]),
    "ridge": (Ridge(), "a value", ["Gemm", *VALUE]),
    "scaled ridge": (make_pipeline(StandardScaler(), Ridge()), "a value", GEMM + VALUE),
}
ON_LINEAR = pytest.mark.parametrize("name", LINEAR)


@dataclass(frozen=True)
class Exported:
    """The graph by the project's own way, and what was fitted to which declaration."""

    model: onnx.ModelProto
    fitted: Any
    spec: ModelSpec

    def parity(self) -> export.Parity:
        return export.parity(graph.to_bytes(self.model), self.fitted, self.spec, ROWS)


def exported(estimator: Any, target: str) -> Exported:
    values = TARGETS[target]
    task = "regression" if target == "a value" else "classification"
    classes = [] if task == "regression" else [str(each) for each in np.unique(values)]
    spec = ModelSpec.model_validate(
        {
            "name": "thing",
            "task": task,
            "owner": "a@example.org",
            "description": "one line",
            "data": {"file": "thing.csv"},
            "target": {"name": "y", "classes": classes},
            "features": [{"name": name, "dtype": "float"} for name in "abcde"],
        }
    )
    fitted = clone(estimator).fit(ROWS.astype(float), values)
    return Exported(onnx.load_from_string(export.export(fitted, spec, ROWS, None)), fitted, spec)


@cache
def linear(name: str) -> Exported:
    estimator, target, _ = LINEAR[name]
    return exported(estimator, target)


def kinds(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


def domains(model: Any) -> dict[str, int]:
    return {each.domain: each.version for each in model.opset_import}


def session_of(model: Any) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def answers(model: Any, rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The first output, (n_rows, ...)."""
    found: npt.NDArray[np.float32] = session_of(model).run(None, {"rows": rows})[0]
    return found


@ON_LINEAR
def test_linear_model_is_exported_in_plain_operators(name: str) -> None:
    model = linear(name).model
    assert kinds(model) == LINEAR[name][2]
    assert set(domains(model)) == {""}
    assert model.ir_version == graph.IR_VERSION


@ON_LINEAR
def test_answers_are_those_of_scikit_learn(name: str) -> None:
    found = linear(name).parity()
    assert found.max_abs < (1e-5 if LINEAR[name][1] == "a value" else 1e-6)  # around 20, a float32 itself is 1e-6 off
    assert found.label_mismatch == 0


@ON_LINEAR
def test_row_is_answered_alike_alone_and_among_others(name: str) -> None:
    session = session_of(linear(name).model)
    whole = session.run(None, {"rows": ROWS})[0].tobytes()
    for size in (1, 2, 3, 7, 64):
        parts = [session.run(None, {"rows": ROWS[at : at + size]})[0] for at in range(0, len(ROWS), size)]
        assert np.concatenate(parts).tobytes() == whole, f"{size} rows at once"


@ON_LINEAR
def test_missing_value_gives_no_number(name: str) -> None:
    rows = ROWS[:20].copy()
    rows[::3, 4] = np.nan
    found = answers(linear(name).model, rows).reshape(20, -1)
    assert np.isnan(found[::3]).all()
    assert np.isfinite(np.delete(found, np.s_[::3], axis=0)).all()
    assert np.isnan(answers(linear(name).model, rows[:1])).all()


@ON_LINEAR
def test_same_training_gives_the_same_bytes(name: str) -> None:
    estimator, target, _ = LINEAR[name]
    assert graph.to_bytes(exported(estimator, target).model) == graph.to_bytes(linear(name).model)


def test_opset_of_the_plain_domain_stays() -> None:
    assert domains(linear("scaled logistic").model) == {"": export.OPSET}


FOUND_THROUGH: dict[str, tuple[Any, list[str]]] = {
    "an imputer": (
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        ["Imputer", *GEMM, *LOGISTIC],
    ),
    "columns apart": (
        make_pipeline(
            make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]), (MaxAbsScaler(), [4])),
            LogisticRegression(),
        ),
        ["ArrayFeatureExtractor"] * 2 + ["Imputer", "Scaler", "Scaler", "Concat", "Gemm", *LOGISTIC],
    ),
}


@pytest.mark.parametrize(("estimator", "wanted"), FOUND_THROUGH.values(), ids=FOUND_THROUGH)
def test_rows_are_known_to_be_float32_after_steps_before(estimator: Any, wanted: list[str]) -> None:
    found = exported(estimator, "two classes")
    assert kinds(found.model) == wanted
    assert set(domains(found.model)) == {"", "ai.onnx.ml"}
    assert found.parity().max_abs < 1e-6


NOT_LINEAR: dict[str, tuple[Any, str, list[str]]] = {
    "support vectors": (
        make_pipeline(StandardScaler(), SVR()),
        "a value",
        ["Scaler", "SVMRegressor", "Cast", "Reshape", "Cast"],
    ),
    "a forest": (RandomForestClassifier(5, random_state=0), "two classes", ["TreeEnsembleClassifier", "Cast"]),
}


@pytest.mark.parametrize(("estimator", "target", "wanted"), NOT_LINEAR.values(), ids=NOT_LINEAR)
def test_model_without_linear_part_is_as_it_was(
    estimator: Any, target: str, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = exported(estimator, target).model
    assert kinds(model) == wanted
    monkeypatch.setattr(export, "plain_linear", lambda given: given)
    assert model == exported(estimator, target).model


def linear_node(kind: str, rows: str, outputs: list[str], *, n_outputs: int = 3, **attributes: Any) -> Any:
    """LinearClassifier or LinearRegressor of ROWS' five columns; an attribute given as None is left out."""
    chance = np.random.default_rng(n_outputs)
    whole: dict[str, Any] = {
        "coefficients": chance.normal(size=n_outputs * 5),
        "intercepts": chance.normal(size=n_outputs),
    }
    whole["classlabels_ints" if kind == "LinearClassifier" else "targets"] = (
        list(range(n_outputs)) if kind == "LinearClassifier" else n_outputs
    )
    given = {name: value for name, value in (whole | attributes).items() if value is not None}
    return helper.make_node(kind, [rows], outputs, domain="ai.onnx.ml", **given)


def ml(kind: str, source: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, [source], [output], domain="ai.onnx.ml", **attributes)


def scaler_node(source: str = "rows", output: str = "scaled", n_numbers: int = 5) -> Any:
    chance = np.random.default_rng(n_numbers)
    offset, scale = chance.normal(size=n_numbers) * 10, chance.uniform(0.1, 2, size=n_numbers)
    return ml("Scaler", source, output, offset=offset, scale=scale)


@dataclass(frozen=True)
class Graph:
    """Nodes by hand, that take `rows`.

    Attributes:
        outputs: each output's kind and number of columns; 0 for one without columns.
        rows: the rows' kind.
        wanted: the operators after plain_linear; empty where nothing may change.
    """

    nodes: list[Any]
    outputs: Mapping[str, tuple[int, int]] = field(default_factory=lambda: {"out": (TensorProto.FLOAT, 3)})
    rows: int = TensorProto.FLOAT
    wanted: list[str] = field(default_factory=list)

    def model(self) -> onnx.ModelProto:
        outputs = [
            helper.make_tensor_value_info(name, kind, ["n", columns] if columns else ["n"])
            for name, (kind, columns) in self.outputs.items()
        ]
        inputs = [helper.make_tensor_value_info("rows", self.rows, ["n", 5])]
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 1)]
        made = helper.make_model(
            helper.make_graph(self.nodes, "by hand", inputs, outputs), ir_version=9, opset_imports=opsets
        )
        onnx.checker.check_model(made)
        return made


def classifier(rows: str, scores: str, transform: str, **attributes: Any) -> Any:
    return linear_node("LinearClassifier", rows, [f"label_{scores}", scores], post_transform=transform, **attributes)


def regressor(rows: str, output: str, **attributes: Any) -> Any:
    return linear_node("LinearRegressor", rows, [output], **attributes)


CHANGED = {
    "scores as they are": Graph([classifier("rows", "out", "NONE")], wanted=["Gemm"]),
    "one against the rest in one node": Graph(
        [classifier("rows", "each", "LOGISTIC"), ml("Normalizer", "each", "out", norm="L1")],
        wanted=["Gemm", "Sigmoid", "Normalizer"],
    ),
    "softmax by its sum": Graph(
        [classifier("rows", "each", "SOFTMAX"), ml("Normalizer", "each", "out", norm="L1")], wanted=["Gemm", "Softmax"]
    ),
    "softmax by its largest": Graph(
        [classifier("rows", "each", "SOFTMAX"), ml("Normalizer", "each", "out", norm="MAX")],
        wanted=["Gemm", "Softmax", "Normalizer"],
    ),
    "softmax that another reads too": Graph(
        [
            classifier("rows", "each", "SOFTMAX"),
            ml("Normalizer", "each", "out", norm="L1"),
            helper.make_node("Identity", ["each"], ["other"]),
        ],
        {"out": (TensorProto.FLOAT, 3), "other": (TensorProto.FLOAT, 3)},
        wanted=["Gemm", "Softmax", "Normalizer", "Identity"],
    ),
    "several targets": Graph([regressor("rows", "out")], wanted=["Gemm"]),
    "targets without intercepts": Graph([regressor("rows", "out", intercepts=None)], wanted=["Gemm"]),
    "scaled targets": Graph([scaler_node(), regressor("scaled", "out")], wanted=["Cast", "Gemm", "Cast"]),
    "one number for all columns": Graph(
        [scaler_node(n_numbers=1), regressor("scaled", "out")], wanted=["Cast", "Gemm", "Cast"]
    ),
    "scaled twice": Graph(
        [scaler_node(), scaler_node("scaled", "again"), regressor("again", "out")],
        wanted=["Scaler", "Cast", "Gemm", "Cast"],
    ),
    "two models of one scaler": Graph(
        [scaler_node(), classifier("scaled", "out", "LOGISTIC"), regressor("scaled", "other", n_outputs=2)],
        {"out": (TensorProto.FLOAT, 3), "other": (TensorProto.FLOAT, 2)},
        wanted=["Cast", "Gemm", "Cast", "Sigmoid", "Gemm", "Cast"],
    ),
    "scaler that another reads too": Graph(
        [scaler_node(), regressor("scaled", "out"), helper.make_node("Identity", ["scaled"], ["other"])],
        {"out": (TensorProto.FLOAT, 3), "other": (TensorProto.FLOAT, 5)},
        wanted=["Scaler", "Gemm", "Identity"],
    ),
    "scaler that the caller reads": Graph(
        [scaler_node(), regressor("scaled", "out")],
        {"out": (TensorProto.FLOAT, 3), "scaled": (TensorProto.FLOAT, 5)},
        wanted=["Scaler", "Gemm"],
    ),
    "one model after another": Graph(
        [regressor("rows", "five", n_outputs=5), classifier("five", "out", "SOFTMAX")],
        wanted=["Gemm", "Gemm", "Softmax"],
    ),
}


@pytest.mark.parametrize("made", CHANGED.values(), ids=CHANGED)
def test_node_becomes_plain_and_answers_the_same(made: Graph) -> None:
    model = made.model()
    plain = plain_linear(model)
    assert kinds(plain) == made.wanted
    assert set(domains(plain)) == {""} | {node.domain for node in plain.graph.node}
    assert np.abs(answers(plain, ROWS) - answers(model, ROWS)).max() < 1e-4  # scores reach 100
    assert kinds(model) == [node.op_type for node in made.nodes]


def either(name: str) -> Any:
    """A condition whose branches read a tensor of integers from outside."""
    branch = helper.make_graph(
        [helper.make_node("Identity", [name], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.INT64, ["n"])],
    )
    yes = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    return [yes, helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch)]


CLASS_AND_SCORES = {"label_out": (TensorProto.INT64, 0), "out": (TensorProto.FLOAT, 3)}
UNTOUCHED = {
    "label that the caller reads": Graph([classifier("rows", "out", "SOFTMAX")], CLASS_AND_SCORES),
    "label that a node reads": Graph(
        [classifier("rows", "out", "SOFTMAX"), helper.make_node("Identity", ["label_out"], ["same"])],
        {"same": (TensorProto.INT64, 0), "out": (TensorProto.FLOAT, 3)},
    ),
    "label that a branch reads": Graph(
        [classifier("rows", "out", "SOFTMAX"), *either("label_out")],
        {"chosen": (TensorProto.INT64, 0), "out": (TensorProto.FLOAT, 3)},
    ),
    "one score for two classes": Graph(
        [classifier("rows", "out", "LOGISTIC", n_outputs=1, classlabels_ints=[0, 1])], {"out": (TensorProto.FLOAT, 2)}
    ),
    "fewer intercepts than classes": Graph([classifier("rows", "out", "LOGISTIC", intercepts=[1.0, 2.0])]),
    "one class": Graph([classifier("rows", "out", "LOGISTIC", n_outputs=1)], {"out": (TensorProto.FLOAT, 1)}),
    "a transform without an operator": Graph([classifier("rows", "out", "PROBIT")]),
    "a value with a transform": Graph([regressor("rows", "out", post_transform="LOGISTIC")]),
    "as many intercepts as nobody wants": Graph([regressor("rows", "out", intercepts=[1.0, 2.0])]),
    "whole numbers": Graph([classifier("rows", "out", "LOGISTIC")], rows=TensorProto.INT64),
    "double precision": Graph([classifier("rows", "out", "LOGISTIC")], rows=TensorProto.DOUBLE),
    "a row without a table": Graph(
        [
            helper.make_node("Constant", [], ["first"], value_int=0),
            helper.make_node("Gather", ["rows", "first"], ["row"], axis=0),
            regressor("row", "out"),
        ]
    ),
    "a weight without end": Graph([regressor("rows", "out", coefficients=[np.inf] * 15)]),
}


@pytest.mark.parametrize("made", UNTOUCHED.values(), ids=UNTOUCHED)
def test_node_is_left_alone(made: Graph) -> None:
    assert plain_linear(made.model()) == made.model()


def test_offset_far_from_zero_costs_no_digits() -> None:
    offset = np.full(5, 2.0**20)  # next to it, float32 numbers are 1/8 apart
    scale = np.full(5, 0.5)
    made = Graph([ml("Scaler", "rows", "scaled", offset=offset, scale=scale), regressor("scaled", "out")])
    rows = (np.round(ROWS * 8) / 8 + 2.0**20).astype(np.float32)
    node = {each.name: helper.get_attribute_value(each) for each in made.nodes[1].attribute}
    weights = np.array(node["coefficients"]).reshape(3, 5)
    expected = (rows.astype(np.float64) - offset) * scale @ weights.T + np.array(node["intercepts"])
    assert np.abs(answers(plain_linear(made.model()), rows) - expected).max() < 1e-5  # float32 weights: 0.1


def test_scaler_of_a_scale_without_end_stays() -> None:
    scaler = ml("Scaler", "rows", "scaled", offset=[0.0] * 5, scale=[np.inf] * 5)
    assert kinds(plain_linear(Graph([scaler, regressor("scaled", "out")]).model())) == ["Scaler", "Gemm"]


def test_scaler_of_whole_numbers_stays_before_a_gemm() -> None:
    made = Graph([scaler_node(), regressor("scaled", "out")], rows=TensorProto.INT64)
    plain = plain_linear(made.model())
    assert kinds(plain) == ["Scaler", "Gemm"]
    rows = ROWS.astype(np.int64)
    assert np.abs(answers(plain, rows) - answers(made.model(), rows)).max() < 1e-4
