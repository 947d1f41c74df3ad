"""What the trees of a graph ask, and what most, so that rows can be sorted by it (`models.row_order`).

`export` and `tree_cells` call it.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from onnx import helper

from models.row_order import MOST_QUESTIONS, RowOrder
from pipelines.graph import INPUT

_TREES = "TreeEnsemble"
LEAF = "LEAF"


def has_trees(model: Any) -> bool:
    """Whether a ModelProto asks its questions in trees."""
    return any(node.op_type.startswith(_TREES) for node in model.graph.node)


def asked(model: Any) -> dict[tuple[int, float], float]:
    """How often trees ask the rows themselves each question: whether a column is above a threshold.

    A question counts as often as a row would meet it that went left or right by the toss of a coin: once at a root,
    half at a root's child.
    """
    weights: dict[tuple[int, float], float] = defaultdict(float)
    for node in model.graph.node:
        if node.op_type.startswith(_TREES) and node.input[0] == INPUT:
            for question, weight in _asked(node):
                weights[question] += weight
    return dict(weights)


def row_order(model: Any) -> RowOrder | None:
    """Rows by the questions that are asked most; None where no trees look at the rows themselves.

    Among equals the lower column and threshold come first, so that it is the same each time.
    """
    weights = asked(model)
    questions = sorted(weights, key=lambda question: (-weights[question], question))
    return RowOrder(questions[:MOST_QUESTIONS]) if questions else None


def _asked(ensemble: Any) -> Iterator[tuple[tuple[int, float], float]]:
    """Each inner node's column and threshold, and its weight."""
    held = {each.name: helper.get_attribute_value(each) for each in ensemble.attribute}
    names = list(zip(held["nodes_treeids"], held["nodes_nodeids"], strict=True))
    places = {name: place for place, name in enumerate(names)}
    children: dict[int, list[int]] = defaultdict(list)
    for place, (tree, _) in enumerate(names):
        if held["nodes_modes"][place].decode() != LEAF:
            children[place] = [
                places[tree, held[which][place]] for which in ("nodes_truenodeids", "nodes_falsenodeids")
            ]
    below = {place for both in children.values() for place in both}
    ahead = [(place, 1.0) for place in range(len(names)) if place not in below]
    while ahead:
        place, weight = ahead.pop()
        if place in children:
            yield (held["nodes_featureids"][place], held["nodes_values"][place]), weight
            ahead += [(child, weight / 2) for child in children[place]]
