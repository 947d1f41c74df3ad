"""Damages of an exported graph, for what no training makes: answers that are no numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.bundle import Bundle

# Changes the graph of a bundle in place.
GraphDamage = Callable[[Any, Bundle], None]


def nan_above_golden(feature: str) -> GraphDamage:
    """NaN where a feature is above each of the golden rows' values: what the self-test cannot see."""

    def damage(model: Any, bundle: Bundle) -> None:
        limit = max(float(row[feature]) for row in bundle.golden.rows)
        _nan_where(model, _column(bundle, feature), "Greater", limit)

    return damage


def nan_for_category(feature: str, category: str) -> GraphDamage:
    """NaN for one category of a feature, which no golden row may have."""

    def damage(model: Any, bundle: Bundle) -> None:
        assert all(row[feature] != category for row in bundle.golden.rows), f"a golden row has {category}"
        at = _column(bundle, feature)
        _nan_where(model, at, "Equal", float(bundle.features[at].categories.index(category)))

    return damage


def _column(bundle: Bundle, feature: str) -> int:
    return [each.name for each in bundle.features].index(feature)


def _nan_where(model: Any, column: int, comparison: str, value: float) -> None:
    """Every output passes through one more node: NaN where the comparison holds for the row's column."""
    graph = model.graph
    constants = {"damage_column": np.array(column), "damage_value": np.float32(value), "damage_nan": np.float32("nan")}
    for name, array in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    graph.node.append(helper.make_node("Gather", ["rows", "damage_column"], ["damage_values"], axis=1))
    graph.node.append(helper.make_node(comparison, ["damage_values", "damage_value"], ["damage_is"]))
    for output in graph.output:
        sound = f"sound_{output.name}"
        for node in graph.node:
            for names in (node.input, node.output):
                for index, each in enumerate(names):
                    names[index] = sound if each == output.name else each
        graph.node.append(helper.make_node("Where", ["damage_is", "damage_nan", sound], [output.name]))
    assert all(output.type.tensor_type.elem_type == TensorProto.FLOAT for output in graph.output)
    onnx.checker.check_model(model)
