"""`POST /explain` as the OpenAPI document describes it. Called by `schema`."""

from models.bundle import Bundle
from services.serving.explain import MAX_ROWS
from services.serving.json_schema import (
    IDENTITY,
    NUMBER,
    TEXT,
    WHOLE,
    Document,
    answer,
    described,
    list_of,
    record,
    ref,
)


def operation(bundle: Bundle, rows: Document, refusals: Document) -> Document:
    """The operation; `rows` is the content of /predict's body, which is this one's too."""
    classes, most = bundle.manifest.classes, min(MAX_ROWS, bundle.manifest.serving.max_rows)
    asked = described({"enum": list(classes)}, "whose probability is explained; the predicted one where none is named")
    return {
        "summary": f"What each feature contributed to the answer, for up to {most} rows",
        "description": "Shapley values against the bundle's background rows; takes up to two seconds.",
        "parameters": [{"name": "class", "in": "query", "schema": asked}] if classes else [],
        "requestBody": {"required": True, "content": {"application/json": rows}},
        "responses": {"200": answer("Contributions for each row", "Explanations"), **refusals},
    }


def schemas(bundle: Bundle) -> Document:
    """What it answers."""
    of: Document = {"class": {"enum": list(bundle.manifest.classes)}}
    if not bundle.manifest.classes:
        of = {"unit": {"type": ["string", "null"]}}
    each = record({feature.name: NUMBER for feature in bundle.features})
    explanation = {
        **of,
        "value": described(NUMBER, "the model's answer"),
        "base_value": described(NUMBER, "its mean answer to the background rows"),
        "contributions": described(each, "they add up to value - base_value"),
        "standard_errors": described(each, "of the contributions; 0 where nothing was sampled"),
        "method": TEXT,
        "samples": WHOLE,
        "background_rows": WHOLE,
        "graph_rows": WHOLE,
        "complete": described({"type": "boolean"}, "false where the time was over before"),
    }
    warnings = list_of(ref("Fault"), 100)
    explanations = {**IDENTITY, "explanations": list_of(ref("Explanation"), MAX_ROWS), "warnings": warnings}
    return {"Explanation": record(explanation), "Explanations": record(explanations)}
