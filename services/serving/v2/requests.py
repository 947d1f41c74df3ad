"""From a request's bytes to tensors that are not looked into yet: the JSON object and what stands where behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import orjson

from models.declaration import did_you_mean
from services.problems import Fault, Kind, Problem
from services.serving import many_numbers
from services.serving.many_numbers import Numbers
from services.serving.v2.datatypes import KNOWN

HEADER = "Inference-Header-Content-Length"
_MAX_TENSORS = 10_000  # far beyond any model's features; each that is wrong is compared with all their names
_MAX_ID = 1_024


@dataclass(frozen=True)
class Tensor:
    """One input.

    Attributes:
        shape: of one dimension or more.
        data: a list, flat or nested as the shape; where there are many numbers, an array of them, (n,) float64; or the
            bytes of the binary extension.
        content_type: what a codec says that its strings are: "", or a name of MLServer's.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any] | Numbers | bytes
    content_type: str


@dataclass(frozen=True)
class Asked:
    """One output that is wanted, and whether as bytes behind the JSON object."""

    name: str
    binary: bool


@dataclass(frozen=True)
class InferRequest:
    """What a request asks.

    Attributes:
        id: the caller's own, returned as it came; None where there was none.
        outputs: None for all.
        binary: whether outputs that do not say otherwise are to be bytes.
    """

    id: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Asked, ...] | None
    binary: bool


def json_length(announced: str | None, n_bytes: int) -> int:
    """How many of a body's bytes are its JSON object.

    Raises:
        Problem: the header announces no such number.
    """
    if announced is None:
        return n_bytes
    if not (announced.isascii() and announced.isdecimal() and int(announced[:20]) <= n_bytes):
        _refuse(HEADER, announced, f"must be a number of bytes, at most the body's {n_bytes}", "send the JSON's length")
    return int(announced[:20])


def parse(body: bytes, length: int) -> InferRequest:
    """The request that a body holds, whose first `length` bytes are JSON.

    Raises:
        Problem: not JSON, not the protocol's shape, or sizes that do not add up.
    """
    try:
        text = body[:length]
        document = many_numbers.tensors(text) or orjson.loads(text)
    except orjson.JSONDecodeError as err:
        where = f"{err.msg}, at line {err.lineno}, column {err.colno}"
        remedy = f"send one JSON object; null for a missing number; {HEADER} where binary data follows"
        fault = Fault("body", where, "must be JSON by RFC 8259", remedy)
        raise Problem(Kind.MALFORMED_JSON, "The body is not valid JSON.", [fault]) from None
    request = _object(document, "body")
    given_id = request.get("id")
    if given_id is not None and not (isinstance(given_id, str) and len(given_id) <= _MAX_ID):
        _refuse("id", given_id, f"must be a string of at most {_MAX_ID} characters", "send a shorter one, or none")
    inputs = _tensors(_list(request.get("inputs"), "inputs"), body, length)
    parameters = _parameters(request, "body")
    binary = _flag(parameters, "binary_data_output", default=False)
    outputs = request.get("outputs")
    # An empty list is what some clients send for "all".
    asked = _asked(_list(outputs, "outputs"), binary=binary) if outputs else None
    return InferRequest(given_id, inputs, asked, binary)


def _tensors(found: list[Any], body: bytes, start: int) -> tuple[Tensor, ...]:
    if not found:
        _refuse("inputs", found, "must have at least one tensor", "send the model's inputs")
    tensors = []
    for entry in found:
        tensor, start = _tensor(_object(entry, "inputs"), body, start)
        tensors.append(tensor)
    if start != len(body):
        rule = "the sizes of the tensors' binary data add up to what follows the JSON object"
        _refuse("body", f"{len(body) - start} bytes more", rule, f"check binary_data_size and {HEADER}")
    return tuple(tensors)


def _tensor(entry: Mapping[str, Any], body: bytes, start: int) -> tuple[Tensor, int]:
    """A tensor, whose binary data, if it has any, begins at `start`; and where the next one's does."""
    name, datatype, shape = entry.get("name"), entry.get("datatype"), entry.get("shape")
    if not isinstance(name, str):
        _refuse("name", name, "a tensor's name is a string", "name each input as the model's metadata does")
    if datatype not in KNOWN:
        near = did_you_mean(datatype, KNOWN) if isinstance(datatype, str) else None
        _refuse(name, datatype, f"a datatype is one of {', '.join(KNOWN)}", near or "send another datatype")
    if not (isinstance(shape, list) and shape and all(type(size) is int and size >= 0 for size in shape)):
        _refuse(name, shape, "a shape is a list of whole numbers", "send the number of rows first")
    parameters = _parameters(entry, name)
    if any(key.startswith("shared_memory") for key in parameters):
        _refuse(name, "shared_memory", "this server shares no memory", "send the data in the request")
    content_type = parameters.get("content_type")
    content_type = content_type if isinstance(content_type, str) else ""
    size = parameters.get("binary_data_size")
    if size is None:
        data = entry.get("data")
        if not isinstance(data, list | np.ndarray):
            _refuse(name, data, "a tensor's data is a list, or binary_data_size is stated", "send either")
        return Tensor(name, datatype, tuple(shape), data, content_type), start
    if entry.get("data") is not None:
        _refuse(name, size, "a tensor has data or binary_data_size, not both", "leave out one")
    if not (type(size) is int and 0 <= size <= len(body) - start):
        rule = f"must be a number of bytes, at most the {len(body) - start} that are left of the body"
        _refuse(f"{name}: binary_data_size", size, rule, f"check it, and {HEADER}")
    return Tensor(name, datatype, tuple(shape), body[start : start + size], content_type), start + size


def _asked(found: list[Any], *, binary: bool) -> tuple[Asked, ...]:
    asked = []
    for entry in found:
        output = _object(entry, "outputs")
        name = output.get("name")
        if not isinstance(name, str):
            _refuse("outputs", name, "an output's name is a string", "name each output as the model's metadata does")
        parameters = _parameters(output, name)
        for extension in ("classification", "shared_memory_region"):
            if extension in parameters:
                _refuse(name, extension, "is no extension of this server, see GET /v2", "leave the parameter out")
        asked.append(Asked(name, _flag(parameters, "binary_data", default=binary)))
    return tuple(asked)


def _parameters(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        _refuse(f"{name}: parameters", found, "must be an object", "leave it out, or send one")
    return found


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    found = parameters.get(name, default)
    if not isinstance(found, bool):
        _refuse(name, found, "must be true or false", "send one of them")
    return found


def _object(found: object, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        _refuse(name, found, "must be an object", "see the protocol's description")
    return found


def _list(found: object, name: str) -> list[Any]:
    if not isinstance(found, list) or len(found) > _MAX_TENSORS:
        _refuse(name, found, f"must be a list of at most {_MAX_TENSORS:,} objects", "see the protocol's description")
    return found


def _refuse(feature: str, value: object, rule: str, remedy: str) -> NoReturn:
    raise Problem(Kind.SHAPE, "The request is not what the protocol describes.", [Fault(feature, value, rule, remedy)])
