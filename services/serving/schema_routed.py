"""What a server that routes rows adds to its main model's OpenAPI document: rows of every model, and whose answers are.

`/predict` alone is routed: what stands elsewhere in the document is the main model's. Called by `app`.
"""

from collections.abc import Mapping

from models.bundle import Bundle
from services.serving.beside import ByField
from services.serving.json_schema import (
    IDENTITY,
    TEXT,
    WHOLE,
    Document,
    answer,
    described,
    either,
    list_of,
    record,
    ref,
)
from services.serving.schema import example, prediction, row_schema

FEEDBACK = (
    "A row that another model answered is told at /models/<model>/feedback: where the answer has `routed`, with the "
    "request_id and the row that this says of it."
)


def routed(document: Document, by: ByField, bundles: Mapping[str, Bundle]) -> Document:
    """The document with /predict as it is routed.

    Args:
        document: the main model's, as `schema.openapi` makes it.
        bundles: by model, those that stand, the main one's first.
    """
    main = next(iter(bundles))
    asked = {name: bundle for name, bundle in bundles.items() if name == main or name in by.models.values()}
    rows = {f"RoutedRow.{name}": _row(bundle, by, name, main=main) for name, bundle in asked.items()}
    answers = {f"Prediction.{name}": prediction(bundle) for name, bundle in asked.items()}
    most = sum(bundle.manifest.serving.max_rows for bundle in asked.values())
    operation = document["paths"]["/predict"]["post"]
    content = {
        "schema": either(*rows, "RoutedRows", "Positional"),
        "examples": {
            **operation["requestBody"]["content"]["application/json"]["examples"],
            "rows of several models": {"value": {"instances": [row["examples"][0] for row in rows.values()]}},
        },
    }
    values = "; ".join(f"{value}: {model}" for value, model in by.models.items())
    predict = {
        **operation,
        "summary": "Predict rows of several models",
        "description": f"The value of {by.field} says which model answers a row ({values}); without it, {main} does.",
        "requestBody": {**operation["requestBody"], "content": {"application/json": content}},
        "responses": operation["responses"] | {"200": answer("One prediction a row", "RoutedPredictions")},
    }
    tell = document["paths"]["/feedback"]["post"]
    feedback = {**tell, "description": f"{tell['description']} {FEEDBACK}"}
    schemas = {
        **rows,
        **answers,
        "RoutedRows": record({"instances": list_of(either(*rows), most)}),
        "RoutedPredictions": _predictions(list(asked), list(answers), most),
    }
    return {
        **document,
        "paths": document["paths"] | {"/predict": {"post": predict}, "/feedback": {"post": feedback}},
        "components": {"schemas": document["components"]["schemas"] | schemas},
    }


def _row(bundle: Bundle, by: ByField, model: str, *, main: str) -> Document:
    """A row that goes to the model; the field may be missing where the model is the main one and does not know it."""
    row, values = row_schema(bundle), [value for value, to in by.models.items() if to == model]
    if not values:
        return row
    known = row["properties"].get(by.field, {"type": "string"})
    field = described({**known, "enum": values}, f"has {model} answer the row")
    required = row["required"] if by.field in row["required"] or model == main else [*row["required"], by.field]
    return {
        **row,
        "properties": row["properties"] | {by.field: field},
        "required": required,
        "examples": [{by.field: values[0]} | example(bundle)],
    }


def _predictions(models: list[str], answers: list[str], most: int) -> Document:
    """What is answered: by one model as it answers alone, by several with what says whose each prediction is."""
    place = {"model": {"enum": models}, "request_id": TEXT, "row": {**WHOLE, "minimum": 0}}
    release = record({"version": TEXT, "digest": TEXT})
    properties = {
        **IDENTITY,
        "predictions": list_of({"anyOf": [ref(name) for name in answers]}, most),
        "warnings": list_of(ref("Fault"), 100 * len(models)),
        "routed": described(
            list_of(record(place), most),
            "where several models answered: whose each prediction is, and where feedback about it is told",
        ),
        "models": described(
            {"type": "object", "additionalProperties": release}, "where several models answered: which releases"
        ),
    }
    return record(properties, optional=("routed", "models"))
