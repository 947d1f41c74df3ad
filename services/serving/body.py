"""From a request's bytes to rows of named features. Whether their values fit is for `models.rows` to say."""

import asyncio
import difflib
import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

from starlette.requests import Request

from services.serving.problems import Fault, Kind, Problem

_MAX_SURPLUS_NAMES = 200
SHAPES = (
    'one row as an object of named features, many as {"instances": [row, ...]}, '
    'or positional values as {"features": [value, ...]} in the order of /metadata'
)


async def read(request: Request, *, max_bytes: int, seconds: float) -> bytes:
    """The body, refused as soon as it is known to be too large: by its announced length, else while it arrives.

    Raises:
        Problem: wrong content type, too large, or slower than `seconds` in all.
        starlette.requests.ClientDisconnect: the caller went away.
    """
    _check_content_type(request)
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


def rows(document: object, names: Sequence[str], *, max_rows: int) -> list[Mapping[str, object]]:
    """The rows that a document states, in whichever of the three shapes.

    Raises:
        Problem: another shape, no row, or more than `max_rows`.
    """
    if not isinstance(document, dict):
        _shape("body", document, f"must be {SHAPES}", 'put a list of rows under "instances"')
    if "instances" in document and "instances" not in names:
        return _few_names(_named(_only(document, "instances"), max_rows), names)
    if "features" in document and "features" not in names:
        return _positional(_only(document, "features"), names, max_rows)
    return _few_names([document], names)


def _few_names(found: list[Mapping[str, object]], names: Sequence[str]) -> list[Mapping[str, object]]:
    """The rows, unless their names are far beyond the model's: finding what each may have meant would take seconds."""
    surplus = sum(max(0, len(row) - len(names)) for row in found)
    if surplus > _MAX_SURPLUS_NAMES:
        _shape("names", surplus, f"at most {_MAX_SURPLUS_NAMES} unknown names", "send the features of /metadata alone")
    return found


def _named(instances: object, max_rows: int) -> list[Mapping[str, object]]:
    if not isinstance(instances, list):
        _shape("instances", instances, "must be a list of objects", "put the row into a list")
    _count(instances, "instances", max_rows)
    faults = [
        Fault("instances", row, "each row is an object of named features", 'positional rows go under "features"', index)
        for index, row in enumerate(instances)
        if not isinstance(row, dict)
    ]
    _raise(faults)
    return instances


def _positional(values: object, names: Sequence[str], max_rows: int) -> list[Mapping[str, object]]:
    if not isinstance(values, list):
        _shape("features", values, "must be a list of values, or a list of such lists", "put the values into a list")
    lists = values if values and all(isinstance(value, list) for value in values) else [values]
    _count(values, "features", max_rows if lists is values else len(values))
    order = ", ".join(names)
    rule = f"a row has {len(names)} values, in the order {order if len(order) <= 400 else order[:400] + '...'}"
    faults = [
        Fault("features", f"{len(row)} values", rule, "send every value, null for one that is missing", index)
        for index, row in enumerate(lists)
        if len(row) != len(names)
    ]
    _raise(faults)
    return [dict(zip(names, row, strict=True)) for row in lists]


def _only(document: Mapping[str, object], name: str) -> object:
    strangers = [other for other in document if other != name]
    if strangers:
        faults = [
            Fault(other, document[other], f'nothing may stand beside "{name}"', "put every feature into the rows")
            for other in strangers[:100]
        ]
        raise Problem(Kind.SHAPE, f'"{name}" has company.', faults)
    return document[name]


def _count(found: list[object], name: str, max_rows: int) -> None:
    if not found:
        _shape(name, found, "must have at least one row", "send at least one row")
    if len(found) > max_rows:
        fault = Fault(
            name,
            len(found),
            f"at most {max_rows} rows in a request",
            f"send several requests of at most {max_rows} rows",
        )
        raise Problem(Kind.TOO_MANY_ROWS, f"{len(found)} rows are more than {max_rows}.", [fault])


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise Problem(Kind.SHAPE, f"{len(faults)} rows have the wrong shape.", faults[:100])


def _check_content_type(request: Request) -> None:
    given = request.headers.get("content-type", "")
    media, _, parameters = given.partition(";")
    charset = parameters.strip().lower()
    remedy = "send Content-Type: application/json"
    if media.strip().lower() != "application/json":
        near = difflib.get_close_matches(media.strip().lower(), ["application/json"], 1, 0.7)
        remedy = "did you mean application/json?" if near else remedy
        fault = Fault("Content-Type", given, "must be application/json", remedy)
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


def _shape(feature: str, value: object, rule: str, remedy: str) -> NoReturn:
    raise Problem(Kind.SHAPE, f"{feature} {rule}.", [Fault(feature, value, rule, remedy)])
