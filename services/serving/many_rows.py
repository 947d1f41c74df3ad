"""Many named rows, read three times as fast as the standard library does it. Called by `answer`.

What is read here is what `services.body.parse` and `rows.rows_of` read, but for integers of more than 64 bits, which
are floats here: `answer` asks those two where a number is that large. Whatever is not plainly a list of rows is None.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import methodcaller

import orjson

_QUOTES_OF_INSTANCES = 2


def read(body: bytes, names: Sequence[str], *, max_rows: int) -> list[Mapping[str, object]] | None:
    """The rows of `{"instances": [row, ...]}`, each with as many names as there are `names`; None where odd."""
    try:
        document = orjson.loads(body)
    except ValueError:
        return None
    if type(document) is not dict or list(document) != ["instances"] or "instances" in names:
        return None
    rows = document["instances"]
    if type(rows) is not list or not 0 < len(rows) <= max_rows or set(map(type, rows)) != {dict}:
        return None
    if set(map(len, rows)) != {len(names)} or b"\\" in body:
        return None
    # orjson keeps the last of two values under one name: then there are more quotes than names and strings need.
    kinds = list(map(type, chain.from_iterable(map(methodcaller("values"), rows))))
    if body.count(b'"') != _QUOTES_OF_INSTANCES + 2 * (len(kinds) + kinds.count(str)):
        return None
    return rows


def most(body: bytes) -> int:
    """As many rows as a body can hold at most, found without reading it: each has a bracket of its own."""
    return max(1, body.count(b"{") - 1, body.count(b"[") - 1)
