"""What a caller of the protocol writes and reads, made here from its description, not by the code under test."""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.services.serving.conftest import FEATURES, ROW

INFER = "/v2/models/house/infer"
HEADER = "Inference-Header-Content-Length"
DATATYPES = {"age": "FP64", "rooms": "INT64", "street": "BYTES", "zone": "BYTES", "sold": "BYTES"}
FORMATS = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q",
    "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip

Document = dict[str, Any]


def tensor(name: str, datatype: str, data: Sequence[Any], shape: Sequence[int] | None = None, **more: Any) -> Document:
    """An input with its data in the JSON object."""
    return {"name": name, "datatype": datatype, "shape": list(shape or [len(data)]), "data": list(data), **more}


def columns(rows: Sequence[Mapping[str, Any]] = (ROW,), datatypes: Mapping[str, str] = DATATYPES) -> list[Document]:
    """One input a feature."""
    return [tensor(feature.name, datatypes[feature.name], [row[feature.name] for row in rows]) for feature in FEATURES]


def packed(datatype: str, data: Sequence[Any]) -> bytes:
    """A tensor's bytes, by the letter of the binary extension."""
    if datatype == "BYTES":
        texts = [(text or "").encode() for text in data]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return struct.pack(
        f"<{len(data)}{FORMATS[datatype]}", *(float("nan") if value is None else value for value in data)
    )


def binary(inputs: Sequence[Document], **more: Any) -> tuple[bytes, dict[str, str]]:
    """A body with the inputs' data behind the JSON object, and its headers."""
    behind = [packed(given["datatype"], given["data"]) for given in inputs]
    entries = [
        {name: value for name, value in given.items() if name != "data"}
        | {"parameters": given.get("parameters", {}) | {"binary_data_size": len(raw)}}
        for given, raw in zip(inputs, behind, strict=True)
    ]
    head = json.dumps({"inputs": entries, **more}).encode()
    return b"".join([head, *behind]), {HEADER: str(len(head)), "Content-Type": "application/octet-stream"}


def read(answer: Any) -> dict[str, Any]:
    """The outputs of an answer by name, as nested lists, from JSON or from the bytes behind it."""
    length = int(answer.headers.get(HEADER, len(answer.content)))
    document, behind = json.loads(answer.content[:length]), answer.content[length:]
    found: dict[str, Any] = {}
    for output in document["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            flat = output["data"]
        else:
            raw, behind = behind[:size], behind[size:]
            flat = _unpacked(output["datatype"], raw)
        dtype: Any = {"BYTES": "O", "FP32": np.float32}[output["datatype"]]
        found[output["name"]] = np.array(flat, dtype=dtype).reshape(output["shape"]).tolist()
    assert behind == b""
    return found


def _unpacked(datatype: str, raw: bytes) -> list[Any]:
    if datatype == "FP32":
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    found = []
    while raw:
        size = 4 + struct.unpack("<I", raw[:4])[0]
        found.append(raw[4:size].decode())
        raw = raw[size:]
    return found
