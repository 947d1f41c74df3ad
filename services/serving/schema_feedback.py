"""`POST /feedback` as the OpenAPI document describes it. Called by `schema`."""

from models.bundle import Bundle
from services.serving.json_schema import (
    IDENTITY,
    NUMBER,
    TEXT,
    WHOLE,
    Document,
    answer,
    described,
    either,
    in_unit,
    list_of,
    record,
    ref,
)
from services.serving.metrics import FeedbackOutcome


def operation(bundle: Bundle, refusals: Document) -> Document:
    """The operation."""
    truth = {"request_id": "4f2a", "truth": bundle.manifest.classes[0] if bundle.manifest.classes else 1.5}
    examples = {
        "one row's": {"value": truth},
        "several rows'": {"value": {"feedback": [{**truth, "row": row} for row in (0, 1)]}},
    }
    return {
        "summary": "Tell what became true of rows that were answered, by request id",
        "description": "All are taken or none. Of a row told twice the last word counts.",
        "requestBody": {
            "required": True,
            "description": f"At most {bundle.manifest.serving.max_body_bytes} bytes.",
            "content": {"application/json": {"schema": either("Truth", "Truths"), "examples": examples}},
        },
        "responses": {"202": answer("Taken, with what this pod knows of each", "Taken"), **refusals},
    }


def schemas(bundle: Bundle) -> Document:
    """What it takes, and what it answers."""
    classes, unit, most = bundle.manifest.classes, bundle.manifest.outputs[0].unit, bundle.manifest.serving.max_rows
    place = {**WHOLE, "minimum": 0, "maximum": most - 1}
    truth = {
        "request_id": described(TEXT, "the X-Request-Id of the answer"),
        "row": described(place, "its place in the request; may be left out where the request had one row"),
        "truth": {"enum": list(classes)} if classes else in_unit(NUMBER, unit),
    }
    taken = [outcome.value for outcome in FeedbackOutcome if outcome.value not in ("refused", "unavailable")]
    told = record({"request_id": TEXT, "row": place, "outcome": {"enum": taken}})
    outcomes = {"type": "object", "additionalProperties": WHOLE}
    return {
        "Truth": {**record(truth, optional=("row",)), "additionalProperties": False},
        "Truths": record({"feedback": list_of(ref("Truth"), most)}),
        "Taken": record({**IDENTITY, "accepted": WHOLE, "outcomes": outcomes, "feedback": list_of(told, most)}),
    }
