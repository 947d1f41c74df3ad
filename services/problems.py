"""Refusals as RFC 9457 problem documents. Raised anywhere below the routes, rendered in one place.

Each document has `type`, `title`, `status`, `detail`, `instance` (the path), `request_id`, and `errors`: one entry for
each thing that is wrong, which names the feature, the value, the rule and the remedy.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
# A value is echoed so that its sender recognises it, not so that it can be read in full.
_MAX_SHOWN = 80


class Kind(StrEnum):
    """What went wrong; the anchor of the page `/docs` that explains it, and the last part of `type`."""

    MALFORMED_JSON = "malformed-json"
    CONTENT_TYPE = "content-type"
    BODY_TOO_LARGE = "body-too-large"
    BODY_TOO_SLOW = "body-too-slow"
    SHAPE = "shape"
    TOO_MANY_ROWS = "too-many-rows"
    ROWS_REFUSED = "rows-refused"
    NO_FINITE_ANSWER = "no-finite-answer"
    FEEDBACK_REFUSED = "feedback-refused"
    FEEDBACK_OFF = "feedback-off"
    NO_BACKGROUND = "no-background"
    NOT_READY = "not-ready"
    BUSY = "busy"
    NO_ANSWER_IN_TIME = "no-answer-in-time"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    REQUEST_REFUSED = "request-refused"
    INTERNAL = "internal"


# kind: (status, title)
TABLE: Mapping[Kind, tuple[int, str]] = {
    Kind.MALFORMED_JSON: (400, "The body is not valid JSON"),
    Kind.CONTENT_TYPE: (415, "The body's content type is not JSON"),
    Kind.BODY_TOO_LARGE: (413, "The body is too large"),
    Kind.BODY_TOO_SLOW: (408, "The body did not arrive in time"),
    Kind.SHAPE: (422, "The body is none of the three accepted shapes"),
    Kind.TOO_MANY_ROWS: (413, "Too many rows in one request"),
    Kind.ROWS_REFUSED: (422, "Rows do not agree with the model's declaration"),
    Kind.NO_FINITE_ANSWER: (422, "The model has no finite answer to these rows"),
    Kind.FEEDBACK_REFUSED: (422, "The feedback does not agree with the model's declaration"),
    Kind.FEEDBACK_OFF: (409, "The server takes no feedback"),
    Kind.NO_BACKGROUND: (409, "The bundle holds no rows to explain against"),
    Kind.NOT_READY: (503, "The server is not ready"),
    Kind.BUSY: (503, "The server has too much to do"),
    Kind.NO_ANSWER_IN_TIME: (504, "The answer did not come in time"),
    Kind.NOT_FOUND: (404, "There is nothing at this path"),
    Kind.METHOD_NOT_ALLOWED: (405, "This path does not take this method"),
    Kind.REQUEST_REFUSED: (400, "The request was refused"),
    Kind.INTERNAL: (500, "The server failed"),
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        value: what was received; `shown` makes it fit for JSON.
        rule: what it breaks.
        remedy: what the caller can do.
        feature: name of the feature, or of the part of the request.
        row: index of the row in the request, where there is one.
    """

    feature: str
    value: object
    rule: str
    remedy: str
    row: int | None = None

    def document(self) -> dict[str, object]:
        """The fault as it stands in a problem document or among an answer's warnings."""
        place: dict[str, object] = {} if self.row is None else {"row": self.row}
        words = {"feature": _cut(self.feature), "value": shown(self.value), "rule": self.rule, "remedy": self.remedy}
        return place | words


@dataclass
class Problem(Exception):  # noqa: N818  (the word of RFC 9457)
    """A refusal; `kind` fixes its status and title."""

    kind: Kind
    detail: str
    faults: list[Fault] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0

    def __post_init__(self) -> None:
        self.status = self.status or TABLE[self.kind][0]


def render(problem: Problem, *, path: str, request_id: str, explained: str = "/docs") -> Response:
    """The answer that carries a problem; `explained` is the page with an anchor for each kind, empty for none."""
    document = {
        "type": f"{explained}#{problem.kind}" if explained else "about:blank",
        "title": TABLE[problem.kind][1],
        "status": problem.status,
        "detail": problem.detail,
        "instance": _cut(path),
        "request_id": request_id,
        "errors": [fault.document() for fault in problem.faults],
    }
    return Response(encode(document), problem.status, dict(problem.headers), MEDIA_TYPE)


def encode(document: Mapping[str, object]) -> bytes:
    """Strict JSON: ASCII, since a lone surrogate in an echoed value has no UTF-8; no NaN.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")


def shown(value: object) -> str | float | int | bool | None:
    """A value as a problem document shows it: short, and finite where it is a number."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and value - value == 0.0:
        return value
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, int):
        return "an integer of more than 53 bits"  # printing a huge one costs quadratic time
    if isinstance(value, Mapping):
        return f"an object of {len(value)} names"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)} values"
    return _cut(str(value))


def warnings(faults: Iterable[Fault]) -> list[dict[str, object]]:
    """Faults that were let pass, as an answer lists them."""
    return [fault.document() for fault in faults]


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}... ({len(text)} characters)"
