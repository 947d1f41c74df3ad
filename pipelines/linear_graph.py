"""Linear models as plain ONNX: a graph's LinearClassifier, LinearRegressor and the Scaler before them become Gemm.

skl2onnx writes these operators of the domain ai.onnx.ml. ONNX Runtime takes its time for a Scaler, and says a row alone
with other last bits than the row among many; a Gemm does neither. `export` calls this for every graph. Medians on one
thread of an AMD EPYC, ONNX Runtime 1.31.1, rows like the table's, before -> after:

    table                      4,096 rows         1 row           furthest from scikit-learn   rows said otherwise alone
    30 columns, 2 classes      0.383 -> 0.077 ms  6.3 -> 6.7 us   2.2e-7 -> 1.5e-7             352 -> 0 of 1,024
    64 columns, 10 classes     0.927 -> 0.347 ms  6.4 -> 6.7 us   6.9e-7 -> 2.4e-7             1,017 -> 0
    10 columns, a regression   0.124 -> 0.030 ms  6.0 -> 6.3 us   2.8e-5 -> 1.7e-5             242 -> 0
    4 columns, 3 classes       0.142 -> 0.133 ms  6.3 -> 6.4 us   2.0e-7 -> 1.4e-7             467 -> 0
    the last without a Scaler  0.101 -> 0.127 ms  5.9 -> 5.8 us   2.8e-7 -> 2.8e-7             672 -> 0

A Scaler goes into the weights of a Gemm in float64. In the first table, a Sub before a Gemm in float32 took 0.123 ms
and 6.0 us and gained no digit, and an offset inside float32 weights cost some (1.2e-6). Slower than before are a row
alone after a Scaler, a Softmax of few classes, and without a Scaler 32,768 rows of hundreds of columns at once (300:
4.6 -> 5.7 ms). A Scaler before something else stays: with few columns, Sub and Mul take longer.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipelines.graph import opsets, within

_ML = "ai.onnx.ml"
_ACTIVATIONS = {"NONE": None, "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
_CALLER = -1  # who reads the outputs

_Numbers = npt.NDArray[np.float64]
_Readers = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class _Scaler:
    """(rows - offset) * scale; both (n_columns,), or (1,) for all columns alike."""

    offset: _Numbers
    scale: _Numbers


@dataclass(frozen=True)
class _Linear:
    """activation(rows @ weights.T + intercepts).

    Attributes:
        rows: the tensor that it reads.
        output: the tensor that it writes.
        weights: (n_outputs, n_columns).
        intercepts: (n_outputs,).
        activation: an operator; None for none.
    """

    rows: str
    output: str
    weights: _Numbers
    intercepts: _Numbers
    activation: str | None


def plain_linear(model: Any) -> Any:
    """A ModelProto's linear models in plain operators, each where all conditions hold; the rest as it was.

    A linear model has to read float32 rows, and nobody its label. A Scaler goes into the linear models that read it
    where nobody else does. A Normalizer goes where it only makes a softmax sum to 1, as that does by itself.
    """
    nodes, readers = list(model.graph.node), _readers(model.graph)
    linears = {at: linear for at, node in enumerate(nodes) if (linear := _linear(node, readers)) is not None}
    tables = _tables(model) if linears else set()
    linears = {at: linear for at, linear in linears.items() if linear.rows in tables}
    if not linears:
        return model
    scalers = {
        node.output[0]: scaler
        for node in nodes
        if (scaler := _scaler(node, [linears.get(at) for at in readers[node.output[0]]])) and node.input[0] in tables
    }
    built: list[Any] = []
    constants = list(model.graph.initializer)
    left_out = set()
    for at, node in enumerate(nodes):
        if at in linears:
            linear = linears[at]
            normalizer = _normalizer(linear, nodes, readers)
            if normalizer is not None:
                left_out.add(normalizer)
                linear = replace(linear, output=nodes[normalizer].output[0])
            more, numbers = _plain(linear, scalers.get(linear.rows))
            built += more
            constants += numbers
        elif node.output[0] in scalers:
            built.append(_node("Cast", [node.input[0]], node.output[0], to=TensorProto.DOUBLE))
        elif at not in left_out:
            built.append(node)
    return _with(model, built, constants)


def _linear(node: Any, readers: _Readers) -> _Linear | None:
    if node.domain != _ML or node.op_type not in {"LinearClassifier", "LinearRegressor"}:
        return None
    given = _attributes(node)
    transform = given.get("post_transform", b"NONE").decode()
    intercepts = np.array(given.get("intercepts", []), dtype=np.float64)
    if node.op_type == "LinearClassifier":
        label, output = node.output
        n_outputs = len(given.get("classlabels_strings") or given.get("classlabels_ints") or [])
        # one intercept for two classes: ONNX Runtime answers 1 - score and score, whatever the transform
        known = transform in _ACTIVATIONS and not readers[label] and n_outputs == len(intercepts) > 1
    else:
        [output] = node.output
        n_outputs = given.get("targets", 1)
        intercepts = intercepts if len(intercepts) else np.zeros(n_outputs)
        known = transform == "NONE" and n_outputs == len(intercepts)
    weights = np.array(given["coefficients"], dtype=np.float64)
    if not known or len(weights) % n_outputs or not _finite(weights, intercepts):
        return None
    return _Linear(node.input[0], output, weights.reshape(n_outputs, -1), intercepts, _ACTIVATIONS[transform])


def _scaler(node: Any, users: Sequence[_Linear | None]) -> _Scaler | None:
    """What a node does before its users, where each of them is a linear model."""
    if node.domain != _ML or node.op_type != "Scaler":
        return None
    given = _attributes(node)
    offset, scale = (np.array(given.get(name, []), dtype=np.float64) for name in ("offset", "scale"))
    fits = all(user is not None and len(scale) in {1, user.weights.shape[1]} for user in users)
    return _Scaler(offset, scale) if fits and len(offset) == len(scale) and _finite(offset, scale) else None


def _normalizer(linear: _Linear, nodes: Sequence[Any], readers: _Readers) -> int | None:
    """Where the Normalizer stands that alone reads a softmax and divides by its sum, which is 1."""
    if linear.activation != "Softmax" or len(readers[linear.output]) != 1:
        return None
    [at] = readers[linear.output]
    if at == _CALLER or (nodes[at].domain, nodes[at].op_type) != (_ML, "Normalizer"):
        return None
    return at if _attributes(nodes[at]).get("norm") == b"L1" else None


def _plain(linear: _Linear, scaler: _Scaler | None) -> tuple[list[Any], list[Any]]:
    """Nodes and constants; after a scaler, which is a Cast now, the rows come as float64."""
    weights, intercepts = linear.weights, linear.intercepts
    dtype = np.dtype(np.float32 if scaler is None else np.float64)
    if scaler is not None:
        weights = weights * scaler.scale
        # fsum: the same bits whatever the order in which a processor likes to add
        moved = zip(intercepts, -weights * scaler.offset, strict=True)
        intercepts = np.array([fsum([intercept, *row]) for intercept, row in moved])
    prefix = f"plain_{linear.output}"
    constants = [
        numpy_helper.from_array(numbers.astype(dtype), f"{prefix}_{name}")
        for name, numbers in (("weights", weights), ("intercepts", intercepts))
    ]
    steps: list[tuple[str, list[str], dict[str, Any]]] = [("Gemm", [each.name for each in constants], {"transB": 1})]
    if scaler is not None:
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
    if linear.activation is not None:
        steps.append((linear.activation, [], {"axis": 1} if linear.activation == "Softmax" else {}))
    nodes, source = [], linear.rows
    for index, (kind, more, attributes) in enumerate(steps, start=1):
        target = linear.output if index == len(steps) else f"{prefix}_{kind.lower()}"
        nodes.append(_node(kind, [source, *more], target, **attributes))
        source = target
    return nodes, constants


def _tables(model: Any) -> set[str]:
    """Names of the float32 tensors of rank 2.

    onnx does not follow shapes through some operators of ai.onnx.ml, so a copy has others in their places.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.domain == _ML and node.op_type in {"LinearRegressor", "Normalizer", "Scaler"}:
            node.CopyFrom(helper.make_node("Cast", node.input, node.output, to=TensorProto.FLOAT))
        elif node.domain == _ML and node.op_type == "Imputer":
            node.CopyFrom(helper.make_node("Identity", node.input, node.output))
    found = onnx.shape_inference.infer_shapes(copy).graph
    kinds = {each.name: each.type.tensor_type for each in [*found.input, *found.value_info, *found.output]}
    return {name for name, kind in kinds.items() if kind.elem_type == TensorProto.FLOAT and len(kind.shape.dim) == 2}


def _readers(graph: Any) -> _Readers:
    """The places of the nodes that read each tensor, once for each time."""
    readers: dict[str, list[int]] = defaultdict(list)
    for at, node in enumerate(graph.node):
        for inner in within([node]):
            for name in inner.input:
                readers[name].append(at)
    for value in graph.output:
        readers[value.name].append(_CALLER)
    return readers


def _with(model: Any, nodes: list[Any], constants: list[Any]) -> Any:
    """A copy of the model with other nodes, that still names only what it uses."""
    built = onnx.ModelProto()
    built.CopyFrom(model)
    for field, values in (
        (built.graph.node, nodes),
        (built.graph.initializer, constants),
        (built.opset_import, opsets(model, nodes)),
    ):
        del field[:]
        field.extend(values)
    onnx.checker.check_model(built)
    return built


def _attributes(node: Any) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _finite(*arrays: _Numbers) -> bool:
    return all(np.isfinite(array).all() for array in arrays)


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, [output], name=f"plain_{kind.lower()}_{output}", **attributes)
