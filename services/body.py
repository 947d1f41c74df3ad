"""From a request's bytes to a JSON document: bounded in size and time, by the letter of RFC 8259."""

import asyncio
import difflib
import json
from collections.abc import Sequence
from typing import NoReturn

from starlette.requests import Request

from services.problems import Fault, Kind, Problem


async def read(
    request: Request, *, max_bytes: int, seconds: float, media_types: Sequence[str] = ("application/json",)
) -> bytes:
    """The body, refused as soon as it is known to be too large: by its announced length, else while it arrives.

    Args:
        media_types: what may be sent, the usual one first; "" among them: a request may leave it unsaid.

    Raises:
        Problem: wrong content type, too large, or slower than `seconds` in all.
        starlette.requests.ClientDisconnect: the caller went away.
    """
    _check_content_type(request, media_types)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > max_bytes:
        raise _too_large(max_bytes, f"{announced[:20]} bytes announced")
    chunks: list[bytes] = []
    received = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                received += len(chunk)
                if received > max_bytes:
                    raise _too_large(max_bytes, f"at least {received} bytes received")
                if chunk:  # the last one is empty, and two would be joined
                    chunks.append(chunk)
    except TimeoutError:
        fault = Fault("body", f"{received} bytes received", f"at most {seconds:g} s", "send the body without pauses")
        # The rest of the body may still come: this connection cannot carry another request.
        raise Problem(
            Kind.BODY_TOO_SLOW, f"The body took over {seconds:g} s.", [fault], {"Connection": "close"}
        ) from None
    return b"".join(chunks)


def parse(body: bytes) -> object:
    """The body as JSON, by the letter of RFC 8259: no NaN or Infinity, no name twice in an object.

    Raises:
        Problem: not UTF-8, not JSON, nested too deeply, a number of too many digits.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except UnicodeDecodeError as err:
        _malformed(f"byte {err.start} is not UTF-8", "the body is UTF-8", "encode the body as UTF-8")
    except json.JSONDecodeError as err:
        where = f"{err.msg} at line {err.lineno}, column {err.colno}"
        _malformed(where, "the body is one JSON value", "send what a JSON encoder writes")
    except RecursionError:
        _malformed("too many levels", "a row is an object of plain values", "send rows without nesting")
    except ValueError:  # an integer beyond the interpreter's limit of digits
        _malformed("a number of more than 4300 digits", "numbers fit 32-bit floating point", "send a shorter number")


def _check_content_type(request: Request, media_types: Sequence[str]) -> None:
    given = request.headers.get("content-type", "")
    media, _, parameters = given.partition(";")
    charset = parameters.strip().lower()
    remedy = f"send Content-Type: {media_types[0]}"
    if media.strip().lower() not in media_types:
        near = difflib.get_close_matches(media.strip().lower(), media_types, 1, 0.7)
        remedy = f"did you mean {near[0]}?" if near and near[0] else remedy
        fault = Fault("Content-Type", given, f"must be {' or '.join(filter(None, media_types))}", remedy)
    elif charset and charset.replace('"', "") not in ("charset=utf-8", "charset=utf8", "charset=us-ascii"):
        fault = Fault("Content-Type", given, "JSON is UTF-8", "encode the body as UTF-8")
    elif request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        encoding = request.headers["content-encoding"]
        fault = Fault("Content-Encoding", encoding, "bodies are not compressed", "send the body as it is")
    else:
        return
    raise Problem(
        Kind.CONTENT_TYPE, f"{fault.feature} is {given!r:.100}." if given else "No Content-Type was sent.", [fault]
    )


def _too_large(max_bytes: int, found: str) -> Problem:
    fault = Fault("body", found, f"at most {max_bytes} bytes", "send fewer rows in a request")
    # Uvicorn discards what still comes. Closing here would reset the connection before its caller reads the refusal.
    return Problem(Kind.BODY_TOO_LARGE, f"The body has more than {max_bytes} bytes.", [fault])


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, value in pairs:
            if name in seen:
                fault = Fault(name, value, "a name stands once in an object", "send one value")
                raise Problem(Kind.MALFORMED_JSON, "A name stands twice in one object.", [fault])
            seen.add(name)
    return made


def _refuse_constant(literal: str) -> NoReturn:
    _malformed(literal, "JSON has no NaN and no Infinity", "send null where a value is missing")


def _malformed(value: str, rule: str, remedy: str) -> NoReturn:
    raise Problem(Kind.MALFORMED_JSON, f"{value}.", [Fault("body", value, rule, remedy)]) from None
