"""This model's own OpenAPI document, and its metadata: features, units, ranges, and an example that works."""

from models.bundle import Bundle
from models.feature import Feature
from services.problems import MEDIA_TYPE, TABLE, Kind
from services.serving import schema_explain, schema_feedback
from services.serving.json_schema import IDENTITY, NUMBER, Document, answer, either, in_unit, list_of, record, ref
from services.serving.v2 import described


def metadata(bundle: Bundle, *, version: str, uri: str, pods: str) -> dict[str, object]:
    """What the server answers with, where it comes from, and as `hash` the pod-template hash `pods` of who answers."""
    manifest = bundle.manifest.model_dump(mode="json")
    kept = ("model", "task", "inputs", "outputs", "classes", "lineage", "libraries", "serving")
    served = {"version": version, "digest": str(bundle.digest), "uri": uri, "hash": pods}
    return served | {name: manifest[name] for name in kept}


def example(bundle: Bundle) -> dict[str, object]:
    """A row that this model answers: the first of its golden ones, in the order of its features."""
    return {feature.name: bundle.golden.rows[0][feature.name] for feature in bundle.features}


def openapi(bundle: Bundle, *, version: str, at: str = "") -> Document:
    """OpenAPI 3.1 of the routes, with the model's features as the schema of a row.

    Args:
        at: path below which the model has its routes, where that is not the server's root.
    """
    own: Document = {"servers": [{"url": at}]} if at else {}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{bundle.manifest.model}, version {version}",
            "version": version,
            "description": f"A {bundle.manifest.task}, served from the bundle {bundle.digest}.",
        },
        **own,
        "paths": _paths(bundle, probed=not at) | described.paths(bundle, version=version),
        "components": {"schemas": _schemas(bundle) | described.schemas(bundle)},
    }


def row_schema(bundle: Bundle) -> Document:
    """JSON Schema of a named row."""
    return {
        "type": "object",
        "properties": {feature.name: feature_schema(feature) for feature in bundle.features},
        "required": [feature.name for feature in bundle.features],
        "additionalProperties": False,
        "examples": [example(bundle)],
    }


def _paths(bundle: Bundle, *, probed: bool) -> Document:
    """The operations by path; probes are the process's, not a model's."""
    limits = bundle.manifest.serving
    row = example(bundle)
    refusals = {
        str(status): answer("Refused", "Problem", MEDIA_TYPE)
        for status in sorted({status for status, _ in TABLE.values()} - {404, 405, 500})
    }
    rows = {
        "schema": either("Row", "Rows", "Positional"),
        "examples": {
            "one row": {"value": row},
            "many rows": {"value": {"instances": [row, row]}},
            "by position": {"value": {"features": list(row.values())}},
        },
    }
    predict = {
        "summary": f"Predict up to {limits.max_rows} rows",
        "parameters": [
            {
                "name": "X-Request-Id",
                "in": "header",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
            }
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {limits.max_body_bytes} bytes.",
            "content": {"application/json": rows},
        },
        "responses": {"200": answer("One prediction a row", "Predictions"), **refusals},
    }
    probes = {
        "/healthz": "Whether the process lives",
        "/ready": "Whether traffic may come: verified, not draining, and the graph has just answered",
    }
    simple = {
        **(probes if probed else {}),
        "/metadata": "The model, its features and its lineage",
        "/metrics": "Metrics in Prometheus' text format",
    }
    described: Document = {
        path: {"get": {"summary": text, "responses": {"200": {"description": text}}}} for path, text in simple.items()
    }
    if probed:
        described["/ready"]["get"]["responses"]["503"] = answer("Not ready, with the reason", "Problem", MEDIA_TYPE)
    posted = {
        "/predict": predict,
        "/explain": schema_explain.operation(bundle, rows, refusals),
        "/feedback": schema_feedback.operation(bundle, refusals),
    }
    return {**{path: {"post": operation} for path, operation in posted.items()}, **described}


def _schemas(bundle: Bundle) -> Document:
    limits, features = bundle.manifest.serving, bundle.features
    return {
        "Row": row_schema(bundle),
        "Rows": record({"instances": list_of(ref("Row"), limits.max_rows)}),
        "Positional": record(
            {"features": {"type": "array", "description": f"One row, or rows: {', '.join(f.name for f in features)}"}}
        ),
        "Prediction": prediction(bundle),
        "Predictions": record(
            {
                **IDENTITY,
                "predictions": list_of(ref("Prediction"), limits.max_rows),
                "warnings": list_of(ref("Fault"), 100),
            }
        ),
        **schema_explain.schemas(bundle),
        **schema_feedback.schemas(bundle),
        "Fault": {
            "type": "object",
            "properties": {
                "row": {"type": "integer"},
                "feature": {"type": "string"},
                "value": {},
                "rule": {"type": "string"},
                "remedy": {"type": "string"},
            },
            "required": ["feature", "value", "rule", "remedy"],
        },
        "Problem": record(
            {
                "type": {"type": "string", "enum": [f"/docs#{kind}" for kind in Kind]},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "instance": {"type": "string"},
                "request_id": {"type": "string"},
                "errors": list_of(ref("Fault"), 100),
            }
        ),
    }


def prediction(bundle: Bundle) -> Document:
    """JSON Schema of the answer to a row."""
    if bundle.manifest.task == "classification":
        classes = list(bundle.manifest.classes)
        return record({"prediction": {"enum": classes}, "probabilities": record(dict.fromkeys(classes, NUMBER))})
    return record({output.name: in_unit(NUMBER, output.unit) for output in bundle.manifest.outputs})


def feature_schema(feature: Feature) -> Document:
    """JSON Schema of one feature, no stricter than what the server accepts."""
    words = [] if feature.unit is None else [f"in {feature.unit}"]
    made: Document
    if feature.dtype == "category":
        made = {"type": "string"}
        words.append(f"known: {', '.join(feature.categories)}")
        if feature.unknown == "refuse":
            made["enum"] = list(feature.categories)
        else:
            made["examples"] = list(feature.categories)
    elif feature.dtype == "date":
        made = {"type": "string", "format": "date"}
    else:
        made = {"type": "integer" if feature.dtype == "integer" else "number"}
    if feature.min is not None or feature.max is not None:
        words.append(f"from {bound(feature.min)} to {bound(feature.max)}, beyond: {feature.out_of_range}")
        if feature.dtype != "date" and feature.out_of_range == "refuse":
            made |= {name: end for name, end in (("minimum", feature.min), ("maximum", feature.max)) if end is not None}
    if feature.missing == "allow":
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] += [feature.missing_token, None]
        words.append("null where missing")
    if words:
        made["description"] = "; ".join(words)
    return made


def bound(value: float | str | None) -> str:
    """An end of a range in words."""
    if value is None:
        return "no limit"
    return f"{value:g}" if isinstance(value, float) else str(value)
