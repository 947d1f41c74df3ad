"""Whether one row may answer for all between the same thresholds (`models.tree_cells`). `export` calls it."""

from collections import defaultdict
from math import prod
from typing import Any

from onnx import helper

from models.tree_cells import MOST_CELLS, TreeCells
from pipelines.graph import INPUT
from pipelines.tree_questions import LEAF, asked

_TREES = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}
_ABOVE = "BRANCH_LEQ"  # whose answer is no where a column is above the threshold
# They make each number from a few others in the same way, wherever it is. Another kind need not: the last bit of a
# product of matrices depends on how many rows there are (LinearClassifier on trees, ONNX Runtime 1.31).
_ALIKE = {"Add", "Cast", "Concat", "Flatten", "Gather", "Identity", "Mul", "Reshape", "Sub", "Sum"}
# A row's cell costs by the column, the trees by the question. Of 9 questions a column (15 trees), 4,096 iris took 0.32
# ms instead of 0.98, and rows that share no cell 1.20 instead of 1.08; of 3, those 0.16 instead of 0.52.
_LEAST_QUESTIONS = 8


def tree_cells(model: Any) -> TreeCells | None:
    """The cells of a ModelProto's trees.

    None where a row's answer might follow from more than its cell, or finding the cell costs much beside the trees: a
    row meets fewer than 8 questions for each column that is asked. None too where there are more than 2**20 cells.
    """
    if not all(map(_by_cell, model.graph.node)):
        return None
    questions = asked(model)
    thresholds: dict[int, set[float]] = defaultdict(set)
    for column, threshold in questions:
        thresholds[column].add(threshold)
    if not thresholds or sum(questions.values()) < _LEAST_QUESTIONS * len(thresholds):
        return None
    if prod(len(each) + 2 for each in thresholds.values()) > MOST_CELLS:
        return None
    return TreeCells([(column, sorted(thresholds[column])) for column in sorted(thresholds)])


def _by_cell(node: Any) -> bool:
    """Whether what a node says of a row follows from the row's cell alone, to the last bit."""
    if node.op_type not in _TREES:
        return node.op_type in _ALIKE and INPUT not in node.input
    modes = {
        mode.decode()
        for each in node.attribute
        if each.name == "nodes_modes"
        for mode in helper.get_attribute_value(each)
    }
    return list(node.input) == [INPUT] and modes <= {_ABOVE, LEAF}
