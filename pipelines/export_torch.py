"""From a torch module to an ONNX graph. `export` calls it, for modules only, so nothing else ever needs torch."""

import contextlib
import io
import logging
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from models.spec import ModelSpec
from pipelines.graph import CannotExport, first_line


def convert_torch(module: Any, spec: ModelSpec, *, opset: int) -> Any:
    """A ModelProto of the module in evaluation mode, softmax included where it classifies.

    The module answers rows (n, n_features) float32 with logits (n, n_classes), or with values (n,) or (n, 1).

    Raises:
        CannotExport: torch or onnxscript could not follow the module.
    """
    import torch

    module = module.to("cpu").eval()
    whole = torch.nn.Sequential(module, torch.nn.Softmax(dim=1)) if spec.task == "classification" else module
    rows = torch.zeros((2, len(spec.features)), dtype=torch.float32)  # two: one row would be taken for a constant
    try:
        with _quiet():
            program = torch.onnx.export(
                whole.eval(),
                (rows,),
                input_names=["rows"],
                output_names=["answer"],
                opset_version=opset,
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        raise CannotExport(
            f"{spec.name}: ONNX cannot express {type(module).__name__}: {first_line(error)}; "
            "write its forward with tensor operations alone (no branches on values, no custom kernels)"
        ) from error
    if program is None:
        raise CannotExport(
            f"{spec.name}: torch.onnx.export gave no program for {type(module).__name__}; pin torch 2.13"
        )
    return program.model_proto


def torch_outputs(module: Any, spec: ModelSpec, matrix: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float64]]:
    """What the module itself answers for encoded rows (n, n_features), as `export.estimator_outputs` names it."""
    import torch

    module = module.to("cpu").eval()
    with torch.no_grad():
        answer = module(torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float32)))
        if spec.task == "regression":
            return {"prediction": answer.numpy().astype(np.float64).reshape(-1)}
        return {"probabilities": torch.softmax(answer.double(), dim=1).numpy()}


@contextlib.contextmanager
def _quiet() -> Any:
    """The exporter prints its progress and warns of its own deprecations; neither is about the module."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        yield
