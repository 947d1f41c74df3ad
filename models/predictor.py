"""Runs a bundle's graph. Serving, evaluation and batch prediction all predict here, so that they cannot differ."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.asked_rows import AskedRows
from models.bundle import MODEL, Bundle, NotABundle, SelfTestFailed
from models.findings import Matrix
from models.rows import encode

Outputs = dict[str, npt.NDArray[np.float32]]

INPUT = "rows"


class Predictor:
    """The bundle's graph in ONNX Runtime, on the CPU, with one thread: parallelism is the server's affair."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the graph.

        Raises:
            NotABundle: the graph cannot be loaded, or has not the inputs and outputs that bundle.json declares.
        """
        self.bundle = bundle
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(bundle.read(MODEL), options, providers=["CPUExecutionProvider"])
        except Exception as err:  # the runtime's errors share no other base class
            raise NotABundle(f"{bundle.folder / MODEL}: cannot be loaded ({err}); export the model again") from err
        self._chunk = bundle.manifest.serving.chunk_rows
        self._names = [output.name for output in bundle.manifest.outputs]
        self._check_signature()
        try:
            self._asked_rows = AskedRows.read(self._session.get_modelmeta().custom_metadata_map, len(bundle.features))
        except ValueError as err:
            raise NotABundle(f"{bundle.folder / MODEL}: {err}; export the model again") from err

    def predict(self, matrix: Matrix) -> Outputs:
        """Outputs by name: `probabilities` (n, n_classes), or `prediction`, `lower`, `upper` (n,), float32.

        Args:
            matrix: (n, n_features) float32 from `models.rows`.
        """
        asked = None if self._asked_rows is None else self._asked_rows.of(matrix)
        if asked is None:
            found = self._run(matrix)
        else:
            rows, answered = asked
            found = [np.take(values, answered, axis=0) for values in self._run(rows)]
        return {
            name: values if name == "probabilities" else values.reshape(-1)
            for name, values in zip(self._names, found, strict=True)
        }

    def answers(self, outputs: Mapping[str, npt.NDArray[Any]]) -> list[dict[str, Any]]:
        """One JSON object a row: a class with all probabilities, or a number with its interval."""
        if "probabilities" not in outputs:
            names = list(outputs)
            columns = [outputs[name].tolist() for name in names]
            return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        classes = self.bundle.manifest.classes
        best = most_probable(outputs["probabilities"]).tolist()
        rows = outputs["probabilities"].tolist()
        return [
            {"prediction": classes[index], "probabilities": dict(zip(classes, row, strict=True))}
            for index, row in zip(best, rows, strict=True)
        ]

    def self_test(self) -> None:
        """Predict the golden rows.

        Raises:
            SelfTestFailed: an output differs from the golden one by more than the tolerance, or is NaN.
            RowsRefused: a golden row breaks the spec.
        """
        golden = self.bundle.golden
        outputs = self.predict(encode(golden.rows, self.bundle.features).matrix)
        if set(golden.outputs) != set(outputs):
            raise SelfTestFailed(f"golden.json holds {sorted(golden.outputs)}, the graph answers {sorted(outputs)}")
        for name, values in outputs.items():
            expected = np.asarray(golden.outputs[name], dtype=np.float64)
            if expected.shape != values.shape:
                raise SelfTestFailed(f"{name}: the graph answers {values.shape}, golden.json holds {expected.shape}")
            off = np.abs(values - expected) - golden.tolerance.relative * np.abs(expected)
            if not np.all(off <= golden.tolerance.absolute):  # NaN is never within
                row = int(np.argmax(np.nan_to_num(off, nan=np.inf).reshape(len(off), -1).max(axis=1)))
                raise SelfTestFailed(
                    f"{name}: golden row {row} gives {values[row].tolist()}, must be {expected[row].tolist()} within "
                    f"{golden.tolerance}; the bundle or the runtime is not the one that was tested"
                )

    def try_out(self) -> None:
        """Predict one golden row, at the cost of a request: whether the graph still runs, not whether it is right.

        Raises:
            SelfTestFailed: an output is not finite. Besides, whatever the runtime raises.
        """
        for name, values in self.predict(self._first_golden).items():
            if not np.isfinite(values).all():
                raise SelfTestFailed(f"{name}: golden row 0 gives {values[0].tolist()}, must be finite")

    def _run(self, matrix: Matrix) -> list[npt.NDArray[np.float32]]:
        """The graph's outputs in the manifest's order, by as many rows at once as the bundle says."""
        if self._chunk is None or len(matrix) <= self._chunk:
            return list(self._session.run(self._names, {INPUT: matrix}))
        starts = range(0, len(matrix), self._chunk)
        parts = [self._session.run(self._names, {INPUT: matrix[at : at + self._chunk]}) for at in starts]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    @cached_property
    def _first_golden(self) -> Matrix:
        return encode(self.bundle.golden.rows[:1], self.bundle.features).matrix

    def _check_signature(self) -> None:
        inputs = [(node.name, node.type, node.shape[1:]) for node in self._session.get_inputs()]
        wanted = [(INPUT, "tensor(float)", [len(self.bundle.features)])]
        if inputs != wanted:
            raise NotABundle(f"{MODEL}: takes {inputs}, must take {wanted}; export the model again")
        outputs = {node.name: node.type for node in self._session.get_outputs()}
        for name in self._names:
            if outputs.get(name) != "tensor(float)":
                raise NotABundle(f"{MODEL}: answers {outputs}, must answer {self._names} in float32; export it again")


def most_probable(probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The index of each row's most probable class, the first of equals: (n, n_classes) to (n,)."""
    if probabilities.shape[1] == 2:  # of two, numpy's own takes twelve times as long
        return (probabilities[:, 1] > probabilities[:, 0]).view(np.int8)
    return np.asarray(probabilities.argmax(axis=1))
