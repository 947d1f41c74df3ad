"""The protocol's answers as JSON Schema, written from its description (kserve/open-inference-protocol, REST, V2).

Stricter than that in one way: no name is taken that it does not describe, so that a misspelt one is found.
"""

from typing import Any

Schema = dict[str, Any]


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING}
_DATATYPE = {
    "enum": [
        "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
        "BYTES",
    ]
}  # fmt: skip
_PARAMETERS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_TENSOR = _object(
    {"name": _STRING, "datatype": _DATATYPE, "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}}}
)
_HEAD = {"name": _STRING, "datatype": _DATATYPE, "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}}}
_DATA = {"type": "array", "items": {"type": ["number", "string", "boolean"]}}
_BEHIND = {
    "type": "object",
    "properties": {"binary_data_size": {"type": "integer", "minimum": 0}},
    "required": ["binary_data_size"],
}

LIVE = _object({"live": {"const": True}})
SERVER_READY = _object({"ready": {"const": True}}, {"live": {"const": True}})
MODEL_READY = _object({"name": _STRING, "ready": {"const": True}})
SERVER = _object({"name": _STRING, "version": _STRING, "extensions": _STRINGS})
MODEL = _object(
    {"name": _STRING, "platform": _STRING},
    {
        "versions": _STRINGS,
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {"type": "array", "items": _TENSOR},
    },
)
RESPONSE = _object(
    {
        "model_name": _STRING,
        "outputs": {
            "type": "array",
            "items": {
                "oneOf": [_object({**_HEAD, "data": _DATA}, {"parameters": _PARAMETERS}),
                          _object({**_HEAD, "parameters": _BEHIND})]  # the binary extension
            },
        },
    },
    {"model_version": _STRING, "id": _STRING, "parameters": _PARAMETERS},
)  # fmt: skip
ERROR = _object({"error": _STRING})
