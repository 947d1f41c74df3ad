"""What the protocol's metadata says of this server and of its model."""

from collections.abc import Mapping

from models.bundle import Bundle
from models.feature import all_numbers
from models.predictor import INPUT
from services.serving.v2.datatypes import BYTES, datatype_of
from services.serving.v2.responses import LABELS, PROBABILITIES, names

NAME = "mainline"
VERSION = "0.1.0"  # pyproject.toml's
EXTENSIONS = ("binary_tensor_data",)
PLATFORM = "onnxruntime_onnx"  # the runtime and the format, as the protocol names platforms


def server() -> Mapping[str, object]:
    """The server."""
    return {"name": NAME, "version": VERSION, "extensions": list(EXTENSIONS)}


def model(bundle: Bundle, *, version: str) -> Mapping[str, object]:
    """The model and its tensors; -1 is the number of rows. Units, ranges and categories are in /metadata."""
    manifest = bundle.manifest
    features = bundle.features
    if all_numbers(features):
        inputs = [_tensor(INPUT, "FP32", len(features))]
    else:
        inputs = [_tensor(feature.name, datatype_of(feature)) for feature in features]
    sizes = {PROBABILITIES: (len(manifest.classes),)}
    labels = {LABELS} if manifest.task == "classification" else set()
    outputs = [_tensor(name, BYTES if name in labels else "FP32", *sizes.get(name, ())) for name in names(manifest)]
    return {
        "name": manifest.model,
        "versions": [version],
        "platform": PLATFORM,
        "inputs": inputs,
        "outputs": outputs,
    }


def _tensor(name: str, datatype: str, *sizes: int) -> Mapping[str, object]:
    return {"name": name, "datatype": datatype, "shape": [-1, *sizes]}
