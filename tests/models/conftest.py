"""A small model of each kind: its declaration, a graph made by hand, and the bundle around it."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from models.bundle import Golden, Lineage, Manifest, Tolerance, background_json, write
from models.rows import encode
from models.spec import ModelSpec

ROOT = Path(__file__).resolve().parents[2]
HOUSE: dict[str, Any] = {
    "name": "house",
    "task": "regression",
    "owner": "a@example.org",
    "description": "one line",
    "data": {"file": "house.csv", "key": ["id"], "held_out": 0.25, "slices": ["street"]},
    "target": {"name": "price", "unit": "USD"},
    "features": [
        {"name": "area", "dtype": "float", "unit": "m2", "min": 0, "max": 1000, "missing": "allow"},
        {"name": "rooms", "dtype": "integer", "min": 1, "max": 20, "out_of_range": "refuse"},
        {
            "name": "street",
            "dtype": "category",
            "categories": ["Grvl", "Pave"],
            "missing": "allow",
            "unknown": "as_missing",
        },
        {"name": "sold", "dtype": "date", "encoding": "days", "min": "2006-01-01", "max": "2010-12-31"},
    ],
    "parameters": {"alpha": 0.1, "depth": 3, "loss": "huber", "warm": True},
    "interval": {"coverage": 0.9, "calibration": 0.2},
    "training": {"resources": "small", "schedule": None},
    "serving": {"max_rows": 10, "max_body_bytes": 1000},
}

GATES: dict[str, Any] = {
    "apiVersion": "mainline.dev/v1",
    "kind": "Gates",
    "metadata": {"name": "house", "annotations": {"config.kubernetes.io/local-config": "true"}},
    "spec": {
        "offline": {
            "metric": "rmse",
            "limits": {"rmse": {"max": 65.0, "reason": "r"}, "r2": {"min": 0.3, "reason": "r"}},
            "champion": {"margin": 1.0, "unit": "USD", "confidence": 0.95, "resamples": 1000, "reason": "r"},
            "calibration": {"max_error": 0.15, "reason": "r"},
            "slice_gap": {"max": 15.0, "reason": "r"},
            "bundle": {"max_bytes": 5_000_000, "reason": "r"},
            "parity": {"max_abs": 0.001, "max_label_mismatch": 0.0, "reason": "r"},
            "validation": {"min_rows": 300, "leakage_max_score": 0.95, "max_missing_share": 0.2, "reason": "r"},
        },
        "online": yaml.safe_load((ROOT / "models/iris/gates.yaml").read_text(encoding="utf-8"))["spec"]["online"],
    },
}

ROW: dict[str, Any] = {"area": 80.5, "rooms": 4, "street": "Pave", "sold": "2008-02-29"}

WriteModel = Callable[..., Path]


@pytest.fixture
def house() -> dict[str, Any]:
    """A correct model.yaml, to be spoilt."""
    return copy.deepcopy(HOUSE)


@pytest.fixture
def gates() -> dict[str, Any]:
    """A correct gates.yaml, to be spoilt."""
    return copy.deepcopy(GATES)


@pytest.fixture
def row() -> dict[str, Any]:
    """A correct row, to be spoilt."""
    return dict(ROW)


@pytest.fixture
def spec() -> ModelSpec:
    return ModelSpec.model_validate(HOUSE)


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Writes both files of a model folder named house; texts as they are, mappings as YAML."""

    def written(model: Any = HOUSE, gate: Any = GATES) -> Path:
        folder = tmp_path / "house"
        folder.mkdir(exist_ok=True)
        for name, content in (("model.yaml", model), ("gates.yaml", gate)):
            (folder / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return folder

    return written


def linear_graph(n_features: int, *, slope: float = 2.0) -> bytes:
    """prediction = slope * sum of the row, NaN as 0; the interval is one to either side."""
    floats = TensorProto.FLOAT
    nodes = [
        helper.make_node("IsNaN", ["rows"], ["nan"]),
        helper.make_node("Where", ["nan", "zero", "rows"], ["clean"]),
        helper.make_node("MatMul", ["clean", "weights"], ["column"]),
        helper.make_node("Squeeze", ["column", "axis"], ["prediction"]),
        helper.make_node("Sub", ["prediction", "one"], ["lower"]),
        helper.make_node("Add", ["prediction", "one"], ["upper"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("rows", floats, [None, n_features])],
        [helper.make_tensor_value_info(name, floats, [None]) for name in ("prediction", "lower", "upper")],
        [
            helper.make_tensor("zero", floats, [], [0.0]),
            helper.make_tensor("one", floats, [1], [1.0]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("weights", floats, [n_features, 1], [slope] * n_features),
        ],
    )
    return _serialised(graph)


def softmax_graph(n_features: int, n_classes: int) -> bytes:
    """probabilities = softmax of the row times an identity."""
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["rows", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "softmax",
        [helper.make_tensor_value_info("rows", floats, [None, n_features])],
        [helper.make_tensor_value_info("probabilities", floats, [None, n_classes])],
        [helper.make_tensor("weights", floats, [n_features, n_classes], np.eye(n_features, n_classes).ravel())],
    )
    return _serialised(graph)


def _serialised(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


LINEAGE = Lineage(commit="c" * 40, dirty=False, data_md5="d", run_id="r", workflow="w", training_image="i")


def bundle_files(spec: ModelSpec, graph: bytes, outputs: dict[str, list[Any]], rows: list[Any]) -> dict[str, Any]:
    """What `write` takes."""
    golden = Golden(rows=rows, outputs=outputs, tolerance=Tolerance(absolute=0.05, relative=1e-6))
    return {
        "model.onnx": graph,
        "golden.json": golden.to_json(),
        "reference.parquet": b"PAR1 no reader here looks inside",
        "held_out.parquet": b"PAR1 no reader here looks inside",
        "background.json": background_json(encode(rows[:2], spec.features).matrix),
    }


@pytest.fixture
def bundle(tmp_path: Path, spec: ModelSpec) -> Path:
    """A valid bundle of a regression."""
    rows = [{**ROW, "rooms": 1 + index, "area": None if index == 3 else 10.0 * index} for index in range(16)]
    predicted = 2.0 * np.nan_to_num(encode(rows, spec.features).matrix).sum(axis=1)
    outputs = {
        "prediction": predicted.tolist(),
        "lower": (predicted - 1).tolist(),
        "upper": (predicted + 1).tolist(),
    }
    folder = tmp_path / "bundle"
    write(
        folder,
        Manifest.of(spec, lineage=LINEAGE, libraries={"numpy": "2"}),
        bundle_files(spec, linear_graph(4), outputs, rows),
    )
    return folder


@pytest.fixture
def flower() -> ModelSpec:
    """A classification."""
    declared = {
        **{key: HOUSE[key] for key in ("owner", "description")},
        "name": "flower",
        "task": "classification",
        "data": {"file": "flower.csv"},
        "target": {"name": "species", "classes": ["a", "b", "c"]},
        "features": [{"name": name, "dtype": "float"} for name in "xyz"],
    }
    return ModelSpec.model_validate(declared)


@pytest.fixture
def flower_bundle(tmp_path: Path, flower: ModelSpec) -> Path:
    """A valid bundle of a classification."""
    rows = [{"x": float(i % 3 == 0), "y": float(i % 3 == 1), "z": float(i % 3 == 2)} for i in range(18)]
    logits = np.exp(encode(rows, flower.features).matrix)
    outputs = {"probabilities": (logits / logits.sum(axis=1, keepdims=True)).tolist()}
    folder = tmp_path / "flower-bundle"
    write(
        folder,
        Manifest.of(flower, lineage=LINEAGE, libraries={}),
        bundle_files(flower, softmax_graph(3, 3), outputs, rows),
    )
    return folder


@pytest.fixture
def steep_graph() -> bytes:
    """A graph that answers otherwise than the house's golden rows say."""
    return linear_graph(4, slope=2.001)
