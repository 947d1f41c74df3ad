"""A table's answers as the HTTP answers that stand for them, and back through the rehearsal's own reading of those.

So both sides are given the same bytes: the controller over HTTP, the rehearsal by `read`.
"""

import json
import math
from typing import Any

from pipelines.rehearsal.answers import from_prometheus, from_web
from pipelines.rehearsal.contract import Measured

JSON_PATH = "{$.answer}"
# What Prometheus' client puts before the reason of a query that was not answered.
EXECUTION = "execution"

Answer = tuple[int, str]


def scripted(of: str, answer: Any) -> Answer:
    """The status and body by which a vector, a scalar or a JSON answer comes.

    `{error: words}` is a query that fails with these words, of the web a status of 500; `{text: words}` is no JSON.
    """
    if isinstance(answer, dict) and "error" in answer:
        if of == "json":
            return 500, str(answer["error"])
        return 422, json.dumps({"status": "error", "errorType": EXECUTION, "error": answer["error"]})
    if isinstance(answer, dict) and "text" in answer:
        return 200, str(answer["text"])
    if of == "json":
        return 200, json.dumps({"answer": answer})
    result: object
    if of == "scalar":
        result = [0, _number(answer)]
    else:
        result = [{"metric": {"series": str(index)}, "value": [0, _number(each)]} for index, each in enumerate(answer)]
    return 200, json.dumps({"status": "success", "data": {"resultType": of, "result": result}})


def read(of: str, answer: Answer) -> Measured:
    """What the rehearsal reads from it."""
    status, body = answer
    if of == "json":
        return from_web(status, body.encode(), JSON_PATH)
    document = json.loads(body)
    if document["status"] == "error":
        return Measured(error=f"{document['errorType']}: {document['error']}")
    return from_prometheus(document)


def provider(of: str, address: str, path: str) -> dict[str, Any]:
    """The provider of a metric that is asked there."""
    if of == "json":
        return {"web": {"url": address + path, "jsonPath": JSON_PATH}}
    return {"prometheus": {"address": address + path, "query": "up"}}


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
