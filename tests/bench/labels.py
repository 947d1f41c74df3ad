"""From a server's answer to the classes that it named, whatever form it has, to be held against scikit-learn's."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.bench.bodies import HEADER_LENGTH

Labels = npt.NDArray[np.int64]
# Body, headers in lower case and the names of the classes to (n,) indices of classes.
Reader = Callable[[bytes, Mapping[str, str], Sequence[str]], Labels]

_NUMBERS = {"INT64": "<i8", "INT32": "<i4", "FP32": "<f4", "FP64": "<f8"}


class UnreadableError(ValueError):
    """The answer has no classes where they should stand."""


def under(*keys: str) -> Reader:
    """Indices in JSON, behind so many keys; a number alone is one row's."""

    def read(body: bytes, headers: Mapping[str, str], classes: Sequence[str]) -> Labels:
        found: Any = json.loads(body)
        for key in keys:
            if not isinstance(found, dict) or key not in found:
                raise UnreadableError(f"no {key!r} in {str(found)[:200]}")
            found = found[key]
        return _indices(np.atleast_1d(np.asarray(found)), classes)

    return read


def ours(body: bytes, headers: Mapping[str, str], classes: Sequence[str]) -> Labels:
    """Names of classes, each beside its probabilities, of which its own must be the largest."""
    predictions = json.loads(body)["predictions"]
    for each in predictions:
        if max(each["probabilities"], key=each["probabilities"].get) != each["prediction"]:
            raise UnreadableError(f"{each['prediction']!r} is not the most probable of {each['probabilities']}")
    return _indices(np.asarray([each["prediction"] for each in predictions]), classes)


def tensors(body: bytes, headers: Mapping[str, str], classes: Sequence[str]) -> Labels:
    """The protocol V2, JSON or binary: the output of classes by name or index, else the most probable ones."""
    length = headers.get(HEADER_LENGTH.lower())
    head, rest = (body, b"") if length is None else (body[: int(length)], body[int(length) :])
    outputs = {}
    for output in json.loads(head)["outputs"]:
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            values = np.asarray(output["data"])
        else:
            values, rest = _from_bytes(rest[:size], output["datatype"]), rest[size:]
        outputs[output["name"]] = (output["datatype"], values.reshape(output["shape"]))
    for datatype, values in outputs.values():
        if datatype == "BYTES" or datatype.startswith("INT"):
            return _indices(values.ravel(), classes)
    for _, values in outputs.values():
        if values.ndim == 2 and values.shape[1] == len(classes):
            most: Labels = values.argmax(axis=1)
            return most
    raise UnreadableError(f"no output of {sorted(outputs)} tells a class")


def _from_bytes(raw: bytes, datatype: str) -> npt.NDArray[Any]:
    if datatype != "BYTES":
        return np.frombuffer(raw, _NUMBERS[datatype])
    words, at = [], 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        words.append(raw[at + 4 : end].decode())
        at = end
    return np.asarray(words)


def _indices(values: npt.NDArray[Any], classes: Sequence[str]) -> Labels:
    if values.dtype.kind in "iuf":
        return values.ravel().astype(np.int64)
    known = {name: index for index, name in enumerate(classes)}
    strange = sorted({str(value) for value in values.tolist()} - set(known))
    if strange:
        raise UnreadableError(f"{', '.join(strange[:3])}: none of the classes {', '.join(classes)}")
    return np.asarray([known[str(value)] for value in values.tolist()], dtype=np.int64)
