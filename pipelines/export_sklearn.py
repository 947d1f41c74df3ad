"""From a scikit-learn estimator to an ONNX graph, through skl2onnx. `export` calls it, for estimators only."""

import copy
import warnings
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np

from models.spec import ModelSpec
from pipelines.graph import WAY_OUT, CannotExport, first_line

ML_OPSET = 3  # trees and linear models as skl2onnx writes them


def convert_sklearn(estimator: Any, spec: ModelSpec, *, opset: int) -> Any:
    """A ModelProto of the estimator; a classifier's last output is its probabilities.

    Raises:
        CannotExport: skl2onnx has no converter for the estimator or a step of it, or is known to drop a part.
    """
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    kind = type(estimator).__name__
    classify = spec.task == "classification"
    needed = "predict_proba" if classify else "predict"
    if not hasattr(estimator, needed):
        raise CannotExport(
            f"{spec.name}: {kind} has no {needed}, which a {spec.task} needs; return an estimator that has"
        )
    estimator = _plain(estimator, spec)
    try:
        with warnings.catch_warnings():
            # skl2onnx writes booleans where protobuf wants integers
            warnings.simplefilter("ignore", DeprecationWarning)
            return skl2onnx.convert_sklearn(
                estimator,
                name=spec.name,
                initial_types=[("rows", FloatTensorType([None, len(spec.features)]))],
                options={id(estimator): {"zipmap": False}} if classify else None,
                target_opset={"": opset, "ai.onnx.ml": ML_OPSET},
            )
    except (MissingConverter, MissingShapeCalculator) as error:
        reason = f"skl2onnx {version('skl2onnx')} has no converter for it or for one of its steps"
        raise CannotExport(
            f"{spec.name}: ONNX cannot express {kind}: {reason}; {WAY_OUT} ({first_line(error)})"
        ) from error
    except (NotImplementedError, RuntimeError, ValueError, TypeError, NameError, AttributeError) as error:
        raise CannotExport(f"{spec.name}: ONNX cannot express {kind}: {first_line(error)}; {WAY_OUT}") from error


def _plain(estimator: Any, spec: ModelSpec) -> Any:
    """The estimator, its histogram trees (alone or in a pipeline) in plain numbers.

    skl2onnx rounds their thresholds to the nearest float32, which sends a row to the wrong side where that is upwards,
    and takes a split by a set of categories for a split by a threshold without a word.
    """
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline):
        # steps that are a word ("passthrough") or None do nothing, and skl2onnx stumbles over them
        steps = [(name, step) for name, step in estimator.steps if step is not None and not isinstance(step, str)]
        return Pipeline([(name, _plain(step, spec)) for name, step in steps])
    if not hasattr(estimator, "_predictors"):
        return estimator
    plain = copy.copy(estimator)
    plain._predictors = [
        [SimpleNamespace(nodes=_nodes(tree.nodes, estimator, spec)) for tree in trees]
        for trees in estimator._predictors
    ]
    return plain


def _nodes(nodes: Any, estimator: Any, spec: ModelSpec) -> list[dict[str, Any]]:
    names = nodes.dtype.names
    plain = [dict(zip(names, node, strict=True)) for node in nodes.tolist()]
    if any(node["is_categorical"] for node in plain):
        raise CannotExport(
            f"{spec.name}: ONNX cannot express {type(estimator).__name__} with categorical_features: "
            "its splits are sets of categories; leave the argument out, categories reach fit as ordered codes"
        )
    return [{**node, "threshold": _below(node["num_threshold"]), "value": np.float64(node["value"])} for node in plain]


def _below(threshold: float) -> float:
    """The largest float32 not above a threshold: for a float32 x, x <= threshold exactly where x <= that."""
    nearest = np.float32(threshold)
    return float(nearest if float(nearest) <= threshold else np.nextafter(nearest, np.float32(-np.inf)))
