"""What an answer of one row is formatted with: the bytes of `app` and `reply`, once a second. Called by `engine`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from services.problems import encode

# What `reply` puts on every answer beside its id and digest.
EVERYWHERE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


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
