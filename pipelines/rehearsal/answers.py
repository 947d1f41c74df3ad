"""A provider's answer to what a condition is asked about, as Argo Rollouts 1.10 reads it. Pure; worlds do the calls.

Covered of Kubernetes' JSONPath: `{$}`, `{$.name.other}`, `{.name}`, `{$['name']}`, `{$.list[0]}`, `{$.list[-1]}`.

Source: argo-rollouts v1.10.0, metricproviders/prometheus/prometheus.go and metricproviders/webmetric/webmetric.go.
"""

import json
import re
from typing import Any

from pipelines.rehearsal.contract import Measured
from pipelines.rehearsal.errors import Unsupported

_PART = re.compile(r"\.([A-Za-z_][\w-]*)|\['([^']+)'\]|\[(-?\d+)\]")


def from_prometheus(document: Any) -> Measured:
    """What `/api/v1/query` answered: a vector as a tuple of floats in its order, a scalar as a float."""
    if not isinstance(document, dict) or document.get("status") != "success":
        reason = document.get("error", "no reason given") if isinstance(document, dict) else repr(document)
        return Measured(error=f"Prometheus refused the query: {reason}")
    data = document["data"]
    if data["resultType"] == "vector":
        return Measured(value=tuple(float(sample["value"][1]) for sample in data["result"]))
    if data["resultType"] == "scalar":
        return Measured(value=float(data["result"][1]))
    return Measured(error=f"Prometheus metric type not supported: {data['resultType']}")


def from_web(status: int, body: bytes, json_path: str) -> Measured:
    """What an HTTP call answered, at the path. An answer of 2xx that is no JSON is marked unread."""
    if not 200 <= status < 300:
        return Measured(error=f"received non 2xx response code: {status}")
    try:
        document = json.loads(body, parse_int=float, parse_constant=_no_json)
    except ValueError:
        return Measured(value=body.decode(errors="replace"), unread=True)
    try:
        value = at_path(document, json_path)
    except LookupError as error:
        return Measured(error=f"Could not find JSONPath in body: {error.args[0]}")
    told = document if isinstance(document, dict) else {}
    return Measured(value=value, detail=_text(told.get("reason")), link=_text(told.get("report")))


def path_parts(json_path: str) -> tuple[str | int, ...]:
    """The names and positions of a path.

    Raises:
        Unsupported: the path is of another form than those above.
    """
    # text around the braces would itself be the value: a space before them is one
    if json_path.startswith("{") and json_path.endswith("}"):
        rest = json_path[1:-1].strip().removeprefix("$")
        found = list(_PART.finditer(rest))
        if "".join(each.group() for each in found) == rest:
            return tuple(int(each[3]) if each[3] else each[1] or each[2] for each in found)
    raise Unsupported([f"jsonPath {json_path!r} is not covered, only forms such as {{$.name}} and {{$.list[0]}}"])


def at_path(document: Any, json_path: str) -> Any:
    """The value at a path.

    Raises:
        LookupError: a name or a position is not there.
    """
    for part in path_parts(json_path):
        if isinstance(part, str):
            if not isinstance(document, dict) or part not in document:
                raise LookupError(f"{part} is not found")
        elif not isinstance(document, list) or not -len(document) <= part < len(document):
            raise LookupError(f"array index out of bounds: index {part}")
        document = document[part]
    return document


def _no_json(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
