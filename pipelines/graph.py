"""ONNX graphs: give any converter's graph the contract's input and outputs, drop the rest, and run the result.

`export` calls it. Nothing in here knows scikit-learn or torch.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipelines.errors import TrainingFailed

IR_VERSION = 9  # opset 18's; a newer one is refused by the ONNX Runtimes that still read the opset
INPUT = "rows"
OUTPUTS = ("probabilities", "prediction", "lower", "upper")
WAY_OUT = (
    "use an estimator that skl2onnx lists as supported, move the unsupported step before the table (a column of "
    "data/), or return a torch module that computes the same"
)


class CannotExport(TrainingFailed):
    """ONNX cannot express what `fit` returned; the message names the estimator, the reason and the way out."""


def fit_contract(
    model: Any, *, name: str, classification: bool, class_order: Sequence[int] | None, conformal: float | None
) -> Any:
    """The same computation under the contract's names.

    Args:
        model: a ModelProto with one input (n, n_features) float32. Its last output is (n, n_classes) probabilities, or
            its first (n,) or (n, 1) values.
        name: the graph's name.
        classification: which of the two it is.
        class_order: the columns of the probabilities in the order wanted; None keeps them.
        conformal: half the width of the interval; None for no interval.

    Returns:
        A ModelProto without anything that its outputs do not need, nor any text that two trainings do not share.
    """
    source = model.graph
    [given] = [value for value in source.input if value.name not in {each.name for each in source.initializer}]
    width = given.type.tensor_type.shape.dim[1].dim_value
    nodes, constants = list(source.node), list(source.initializer)
    own = {given.name: INPUT} | {name: f"source_{name}" for name in OUTPUTS}  # converters use these names too
    _rename(nodes, own)
    first, last = (own.get(value.name, value.name) for value in (source.output[0], source.output[-1]))
    if classification:
        outputs = [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", _columns(source.output[-1])])
        ]
        order = list(class_order) if class_order is not None else []
        if order != sorted(order):
            constants.append(numpy_helper.from_array(np.array(order, dtype=np.int64), "contract_order"))
            nodes.append(_node("Gather", [last, "contract_order"], "contract_ordered", axis=1))
            last = "contract_ordered"
        if order:
            outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(order)])]
        nodes.append(_node("Cast", [last], "probabilities", to=TensorProto.FLOAT))
    else:
        constants.append(numpy_helper.from_array(np.array([-1], dtype=np.int64), "contract_flat"))
        nodes.append(_node("Reshape", [first, "contract_flat"], "contract_values"))
        nodes.append(_node("Cast", ["contract_values"], "prediction", to=TensorProto.FLOAT))
        if conformal is not None:
            constants.append(numpy_helper.from_array(np.array(conformal, dtype=np.float32), "conformal"))
            nodes.append(_node("Sub", ["prediction", "conformal"], "lower"))
            nodes.append(_node("Add", ["prediction", "conformal"], "upper"))
        names = ["prediction"] if conformal is None else ["prediction", "lower", "upper"]
        outputs = [helper.make_tensor_value_info(each, TensorProto.FLOAT, ["n"]) for each in names]
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", width])]
    nodes, constants = _needed(nodes, constants, [value.name for value in outputs])
    built = helper.make_model(
        helper.make_graph(nodes, name, inputs, outputs, constants),
        producer_name="mainline",
        ir_version=IR_VERSION,
        opset_imports=opsets(model, nodes),
        functions=list(model.functions),
    )
    _forget(built)
    onnx.checker.check_model(built)
    return built


def first_line(error: Exception) -> str:
    """What a converter said, without the pages that follow."""
    return str(error).strip().split("\n", 1)[0][:200]


def to_bytes(model: Any) -> bytes:
    """The file's bytes, the same for the same graph."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def opsets(model: Any, nodes: Sequence[Any]) -> list[Any]:
    """Those operator sets of a model that the nodes need, and the plain one."""
    used = {node.domain for node in within(nodes)} | {node.domain for each in model.functions for node in each.node}
    found = {each.domain: each.version for each in model.opset_import if each.domain in used | {""}}
    return [helper.make_opsetid(domain, found[domain]) for domain in sorted(found)]


def within(nodes: Iterable[Any]) -> Iterator[Any]:
    """The nodes, and those of the graphs that they hold as attributes."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from within(attribute.g.node)


def run(onnx_bytes: bytes, matrix: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float64]]:
    """Outputs by name for encoded rows (n, n_features)."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {INPUT: np.ascontiguousarray(matrix, dtype=np.float32)})
    return {name: np.asarray(value, dtype=np.float64) for name, value in zip(names, values, strict=True)}


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, [output], name=f"contract_{kind.lower()}_{output}", **attributes)


def _rename(nodes: Sequence[Any], names: dict[str, str]) -> None:
    for node in nodes:
        for values in (node.input, node.output):
            for index, each in enumerate(values):
                values[index] = names.get(each, each)


def _columns(output: Any) -> int:
    return int(output.type.tensor_type.shape.dim[1].dim_value)


def _needed(nodes: list[Any], constants: list[Any], outputs: list[str]) -> tuple[list[Any], list[Any]]:
    """Those nodes and constants that the outputs follow from, in the given order; a label's branch is dropped here."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= {name for each in within([node]) for name in each.input}
    return kept[::-1], [constant for constant in constants if constant.name in wanted]


def _forget(model: Any) -> None:
    """Removes what differs between two trainings or tells of the machine: doc strings, stack traces, versions."""
    for thing in [model, model.graph, *model.graph.node, *model.graph.initializer, *model.functions]:
        thing.ClearField("doc_string")
    for thing in [model, model.graph, *model.graph.node, *model.graph.initializer]:
        thing.ClearField("metadata_props")
    for function in model.functions:
        function.ClearField("metadata_props")
        for node in function.node:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
    model.ClearField("producer_version")
