"""The protocol's routes in this model's own OpenAPI document, with a request that works when it is sent."""

from typing import Any

from models.bundle import Bundle
from models.feature import all_numbers
from models.predictor import INPUT
from services.serving.v2.datatypes import KNOWN, datatype_of
from services.serving.v2.errors import PREFIX
from services.serving.v2.requests import HEADER
from services.serving.v2.responses import names

Document = dict[str, Any]

_REFUSALS = ("400", "404", "408", "413", "415", "503", "504")


def example(bundle: Bundle) -> Document:
    """A request for the first golden row, in JSON."""
    features, row = bundle.features, bundle.golden.rows[0]
    cells = [row[feature.name] for feature in features]
    if all_numbers(features):
        return {"inputs": [{"name": INPUT, "datatype": "FP32", "shape": [1, len(cells)], "data": cells}]}
    return {
        "inputs": [
            {"name": feature.name, "datatype": datatype_of(feature), "shape": [1], "data": [cell]}
            for feature, cell in zip(features, cells, strict=True)
        ]
    }


def paths(bundle: Bundle, *, version: str) -> Document:
    """The routes, under the name of the one model that is here."""
    here = f"{PREFIX}/models/{bundle.manifest.model}"
    server = {
        PREFIX: "The server and its extensions",
        f"{PREFIX}/health/live": "Whether the process lives",
        f"{PREFIX}/health/ready": "Whether traffic may come",
    }
    found: Document = {path: {"get": _get(text)} for path, text in server.items()}
    for model in (here, f"{here}/versions/{version}"):
        found[model] = {"get": _get("The model and its tensors")}
        found[f"{model}/ready"] = {"get": _get("Whether traffic for the model may come")}
        found[f"{model}/infer"] = {"post": _infer(bundle)}
    return found


def schemas(bundle: Bundle) -> Document:
    """What the routes take and give."""
    tensor = {"name": {"type": "string"}, "datatype": {"enum": list(KNOWN)}, "shape": _list({"type": "integer"})}
    parameters = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
    data = {"type": "array", "description": "flat in row-major order, or nested as the shape; null where missing"}
    kept = {"data": data, "parameters": parameters}
    asked = {"name": {"enum": list(names(bundle.manifest))}}
    return {
        "InferRequest": _object(
            {"inputs": _list(_object(tensor, kept))},
            {
                "id": {"type": "string"},
                "parameters": parameters,
                "outputs": _list(_object(asked, {"parameters": parameters})),
            },
        ),
        "InferResponse": _object(
            {
                **{name: {"type": "string"} for name in ("model_name", "model_version", "id")},
                "outputs": _list(_object(tensor, kept)),
            },
            {"parameters": parameters},
        ),
        "InferError": _object({"error": {"type": "string"}}),
    }


def _infer(bundle: Bundle) -> Document:
    limits = bundle.manifest.serving
    whole = f', or all in one tensor "{INPUT}" of [n, {len(bundle.features)}]' if all_numbers(bundle.features) else ""
    body = {
        "schema": {"$ref": "#/components/schemas/InferRequest"},
        "examples": {"one row": {"value": example(bundle)}},
    }
    return {
        "summary": f"Predict up to {limits.max_rows} rows by the Open Inference Protocol",
        "parameters": [
            {
                "name": HEADER,
                "in": "header",
                "description": "bytes of the JSON object, where tensors follow it as binary data",
                "schema": {"type": "integer"},
            }
        ],
        "requestBody": {
            "required": True,
            "description": f"One tensor [n] or [n, 1] a feature{whole}; at most {limits.max_body_bytes} bytes.",
            "content": {"application/json": body, "application/octet-stream": {}},
        },
        "responses": {
            "200": {
                "description": "One value a row in each output",
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/InferResponse"}},
                    "application/octet-stream": {},
                },
            },
            **{status: _refusal() for status in _REFUSALS},
        },
    }


def _get(text: str) -> Document:
    return {"summary": text, "responses": {"200": {"description": text}, "503": _refusal()}}


def _refusal() -> Document:
    schema = {"$ref": "#/components/schemas/InferError"}
    return {"description": "Refused", "content": {"application/json": {"schema": schema}}}


def _object(required: Document, optional: Document | None = None) -> Document:
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def _list(items: Document) -> Document:
    return {"type": "array", "items": items}
