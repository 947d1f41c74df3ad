"""The answer to one plain row as bytes, formatted at once: what `app` answers to it, to the byte. Called by `engine`.

`json` writes floats by `repr`, and so do these formats.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from models.findings import Matrix
from models.manifest import Manifest
from models.predictor import Predictor
from services.problems import encode

# For each output of the graph, one number or one list of numbers a row.
Table = tuple[Sequence[object], ...]
# What `reply` puts on every answer beside its id and digest.
EVERYWHERE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
Fragment = Callable[[Table, int], bytes | None]


def run(predictor: Predictor) -> Callable[[Matrix], Table]:
    """The graph, from a matrix to the outputs in the order of the manifest, as Python's numbers."""

    def table(matrix: Matrix) -> Table:
        return tuple(values.tolist() for values in predictor.predict(matrix).values())

    return table


def fragment(manifest: Manifest) -> Fragment:
    """What writes the prediction of one row of a table; None where a number is not finite."""
    return _classes(manifest.classes) if manifest.classes else _numbers([output.name for output in manifest.outputs])


def form(headers: Sequence[tuple[bytes, bytes]], identity: Mapping[str, str]) -> tuple[bytes, int]:
    """What an answer is formatted with: the document's length, the request's id twice, the prediction.

    Args:
        headers: what the server sends with every answer.
        identity: `model`, `version` and `digest`.

    Returns:
        the format, and the length of a document without id and prediction.
    """
    start = encode({**identity, "request_id": ""}).removesuffix(b'"}')
    middle, end = b'","predictions":[', b'],"warnings":[]}'
    own = [
        (b"content-length", b"%d"),
        (b"content-type", b"application/json"),
        (b"x-request-id", b"%b"),
        (b"mainline-digest", identity["digest"].encode()),
    ]
    theirs = [(name, value.replace(b"%", b"%%")) for name, value in headers]
    document = start.replace(b"%", b"%%") + b"%b" + middle + b"%b" + end
    return head(200, [*theirs, *own]) + document, len(start) + len(middle) + len(end)


def head(status: int, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Status line and headers, with those that every answer has."""
    lines = [b"%b: %b\r\n" % header for header in [*headers, *EVERYWHERE]]
    return b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode()) + b"".join(lines) + b"\r\n"


def _classes(classes: Sequence[str]) -> Fragment:
    names = [json.dumps(name).encode() for name in classes]
    numbers = b",".join(name.replace(b"%", b"%%") + b":%r" for name in names)
    form = b'{"prediction":%b,"probabilities":{' + numbers + b"}}"

    def write(table: Table, at: int) -> bytes | None:
        row = table[0][at]
        if not math.isfinite(sum(row)):  # type: ignore[call-overload]
            return None
        # The first of equal ones, as argmax has it.
        return form % (names[row.index(max(row))], *row)  # type: ignore[attr-defined,call-overload,misc]

    return write


def _numbers(names: Sequence[str]) -> Fragment:
    form = b"{" + b",".join(json.dumps(name).encode().replace(b"%", b"%%") + b":%r" for name in names) + b"}"

    def write(table: Table, at: int) -> bytes | None:
        row = tuple([column[at] for column in table])
        return form % row if math.isfinite(sum(row)) else None  # type: ignore[arg-type]

    return write
