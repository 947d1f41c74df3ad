"""From the graph's outputs to an answer's bytes: JSON, or the JSON object with the tensors' bytes behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from starlette.responses import Response

from models.declaration import did_you_mean
from models.manifest import Manifest
from models.predictor import Outputs, most_probable
from models.rows import Encoded
from services.problems import Fault, Kind, Problem
from services.serving.answer import fault, unanswered
from services.serving.v2 import labels
from services.serving.v2.datatypes import BYTES
from services.serving.v2.errors import told_fault
from services.serving.v2.requests import HEADER, Asked, InferRequest

LABELS, PROBABILITIES = "prediction", "probabilities"

Document = Mapping[str, object]


@dataclass(frozen=True)
class Identity:
    """Who answers."""

    model: str
    version: str
    request_id: str


def names(manifest: Manifest) -> tuple[str, ...]:
    """The outputs of a model, in the order in which they are returned: a classification's label first."""
    graph = tuple(output.name for output in manifest.outputs)
    return (LABELS, *graph) if manifest.task == "classification" else graph


def asked(request: InferRequest, manifest: Manifest) -> tuple[Asked, ...]:
    """The outputs that a request wants: those that it names, or all.

    Raises:
        Problem: one that the model has not, or one twice.
    """
    known = names(manifest)
    if request.outputs is None:
        return tuple(Asked(name, request.binary) for name in known)
    faults = []
    for index, output in enumerate(request.outputs[: len(known) + 1]):
        if output.name not in known:
            near = did_you_mean(output.name, known)
            faults.append(Fault("outputs", output.name, f"must be among {', '.join(known)}", near or "ask for those"))
        elif output.name in [other.name for other in request.outputs[:index]]:
            faults.append(Fault("outputs", output.name, "each output is asked for once", "leave out one"))
    if faults:
        raise Problem(Kind.SHAPE, "The outputs are not as the model's.", faults)
    return request.outputs


def check_finite(outputs: Outputs, encoded: Encoded) -> None:
    """Nothing, where every answer is a number.

    Raises:
        Problem: some are not.
    """
    if all(np.isfinite(found).all() for found in outputs.values()):
        return
    rows = [np.isfinite(found).reshape(len(found), -1).all(axis=1) for found in outputs.values()]
    raise unanswered(np.flatnonzero(~np.logical_and.reduce(rows)).tolist(), encoded.warnings)


def response(
    request: InferRequest,
    wanted: Sequence[Asked],
    outputs: Outputs,
    encoded: Encoded,
    manifest: Manifest,
    who: Identity,
) -> Response:
    """The answer to a request."""
    document: dict[str, Any] = {
        "model_name": who.model,
        "model_version": who.version,
        "id": who.request_id if request.id is None else request.id,
    }
    if encoded.n_warnings:
        # Parameters are plain values by the protocol: the first warning stands for all.
        document["parameters"] = {"warnings": encoded.n_warnings, "warning": told_fault(fault(encoded.warnings[0]))}
    behind: list[bytes] = []
    document["outputs"] = [
        _numbers(output, outputs[output.name], behind)
        if output.name in outputs
        else _labels(output, outputs[PROBABILITIES], manifest.classes, behind)
        for output in wanted
    ]
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not any(output.binary for output in wanted):
        return Response(head, media_type="application/json")
    headers = {HEADER: str(len(head))}
    return Response(b"".join((head, *behind)), headers=headers, media_type="application/octet-stream")


def _numbers(output: Asked, found: npt.NDArray[np.float32], behind: list[bytes]) -> Document:
    """An output of the graph; its bytes go `behind` where they are wanted so."""
    head = {"name": output.name, "shape": list(found.shape), "datatype": "FP32"}
    if not output.binary:
        return {**head, "data": np.ascontiguousarray(found).reshape(-1)}
    behind.append(found.tobytes())
    return {**head, "parameters": {"binary_data_size": found.nbytes}}


def _labels(
    output: Asked, probabilities: npt.NDArray[np.float32], classes: tuple[str, ...], behind: list[bytes]
) -> Document:
    """The most probable class of each row."""
    best = most_probable(probabilities)
    head = {"name": output.name, "shape": [len(best)], "datatype": BYTES}
    if not output.binary:
        return {**head, "data": orjson.Fragment(b"[%b]" % labels.json(classes).joined(best))}
    raw = labels.binary(classes).joined(best)
    behind.append(raw)
    return {**head, "parameters": {"binary_data_size": len(raw)}}
