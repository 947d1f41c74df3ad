"""From a fitted estimator or torch module to the one graph that serving runs, and how far the two are apart.

The training step calls it. Whatever the framework, the graph has one input `rows` (n, n_features) float32 and, in this
order, `probabilities` (n, n_classes) for a classification, or `prediction` (n,) and, with an interval, `lower` and
`upper` (n,) for a regression; all float32. The same training gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from models.asked_rows import AskedRows
from models.spec import ModelSpec
from pipelines import graph
from pipelines.graph import WAY_OUT, CannotExport
from pipelines.linear_graph import plain_linear
from pipelines.tree_cells import tree_cells
from pipelines.tree_questions import row_order

__all__ = ["CannotExport", "Outputs", "Parity", "estimator_outputs", "export", "is_torch", "parity"]

Outputs = dict[str, npt.NDArray[np.float64]]

OPSET = 18  # the newest that both converters write without a second conversion; any ONNX Runtime since 1.14 reads it


@dataclass(frozen=True)
class Parity:
    """Graph against estimator over the same rows.

    Attributes:
        max_abs: largest absolute difference of any output, in the target's unit or as a probability; NaN where either
            answered NaN.
        label_mismatch: share of rows whose most probable class differs, in [0, 1]; 0 for a regression.
        n_rows: rows that were compared.
    """

    max_abs: float
    label_mismatch: float
    n_rows: int


def export(estimator: Any, spec: ModelSpec, sample: npt.NDArray[np.float32], conformal: float | None) -> bytes:
    """The graph of a fitted estimator, as the bytes of an ONNX file.

    Args:
        estimator: a scikit-learn estimator or pipeline, or a torch module from float32 rows to logits or values.
        spec: the model's declaration: task, features, classes.
        sample: (n, n_features) encoded rows, at least one; the graph has to answer them before it is accepted.
        conformal: half the width of the interval, in the target's unit; None for no interval.

    Raises:
        CannotExport: with the reason and the way out.
    """
    if spec.task == "classification" and conformal is not None:
        raise CannotExport(
            f"{spec.name}: a conformal constant ({conformal:g}) was given for a classification; give None"
        )
    if conformal is not None and not (np.isfinite(conformal) and conformal >= 0):
        raise CannotExport(f"{spec.name}: the conformal constant is {conformal}, it must be a finite number >= 0")
    if is_torch(estimator):
        from pipelines.export_torch import convert_torch

        model = convert_torch(estimator, spec, opset=OPSET)
    else:
        from pipelines.export_sklearn import convert_sklearn

        model = convert_sklearn(estimator, spec, opset=OPSET)
    model = graph.fit_contract(
        model,
        name=spec.name,
        classification=spec.task == "classification",
        class_order=None if is_torch(estimator) else _class_order(estimator, spec),
        conformal=conformal,
    )
    model = plain_linear(model)
    order = row_order(model)
    if order is not None:
        onnx.helper.set_model_props(model, AskedRows(order, tree_cells(model)).metadata())
    data = graph.to_bytes(model)
    _must_answer(data, estimator, spec, sample[:8])
    return data


def parity(onnx_bytes: bytes, estimator: Any, spec: ModelSpec, matrix: npt.NDArray[np.float32]) -> Parity:
    """How far the graph is from the estimator on the encoded rows `matrix` (n, n_features)."""
    if len(matrix) == 0:
        return Parity(max_abs=float("nan"), label_mismatch=float("nan"), n_rows=0)
    expected = estimator_outputs(estimator, spec, matrix)
    found = graph.run(onnx_bytes, matrix)
    # np.max keeps NaN, so an output that is not a number is never a small difference
    max_abs = max(float(np.max(np.abs(found[name] - values))) for name, values in expected.items())
    mismatch = 0.0
    if spec.task == "classification":
        differs = expected["probabilities"].argmax(axis=1) != found["probabilities"].argmax(axis=1)
        mismatch = float(np.mean(differs))
    return Parity(max_abs=max_abs, label_mismatch=mismatch, n_rows=len(matrix))


def estimator_outputs(estimator: Any, spec: ModelSpec, matrix: npt.NDArray[np.float32]) -> Outputs:
    """What the estimator itself answers for encoded rows.

    Args:
        matrix: (n, n_features) float32.

    Returns:
        `probabilities` (n, n_classes) in the spec's order of classes, or `prediction` (n,).
    """
    if is_torch(estimator):
        from pipelines.export_torch import torch_outputs

        return torch_outputs(estimator, spec, matrix)
    rows = matrix.astype(np.float64)
    if spec.task == "regression":
        return {"prediction": np.asarray(estimator.predict(rows), dtype=np.float64).reshape(-1)}
    order = _class_order(estimator, spec)
    return {"probabilities": np.asarray(estimator.predict_proba(rows), dtype=np.float64)[:, order]}


def is_torch(estimator: object) -> bool:
    """Whether it is a torch module; asked without importing torch, which most environments do not have."""
    return any(kind.__module__.startswith("torch.nn") for kind in type(estimator).__mro__)


def _class_order(estimator: Any, spec: ModelSpec) -> list[int]:
    """Which of the estimator's columns holds each of the spec's classes."""
    if spec.task == "regression":
        return []
    known: Sequence[object] = list(np.asarray(estimator.classes_).tolist())
    order = []
    for index, name in enumerate(spec.classes):
        at = next((k for k, value in enumerate(known) if str(value) == name), None)
        if at is None and all(isinstance(value, int) for value in known):
            at = next((k for k, value in enumerate(known) if value == index), None)
        if at is None:
            raise CannotExport(
                f"{spec.name}: {type(estimator).__name__} never saw class {name!r}; give it rows of every class"
            )
        order.append(at)
    return order


def _must_answer(data: bytes, estimator: Any, spec: ModelSpec, sample: npt.NDArray[np.float32]) -> None:
    """A graph that is further from its estimator than float32 can explain was converted wrongly, silently."""
    found = parity(data, estimator, spec, sample)
    scale = max(1.0, *(float(np.max(np.abs(v))) for v in estimator_outputs(estimator, spec, sample).values()))
    # 1 %: float32 rounding is a thousand times smaller, a forgotten link function or step a hundred times larger
    if not found.max_abs <= 0.01 * scale:
        raise CannotExport(
            f"{spec.name}: the graph of {type(estimator).__name__} differs from it by {found.max_abs:g} "
            f"on {found.n_rows} rows, so the conversion dropped something; {WAY_OUT}"
        )
