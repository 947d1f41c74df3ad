"""Large JSON of plain numbers, read into arrays without a Python object for each. Called by `answer` and `v2.requests`.

4,096 rows of 30 numbers, read into a matrix: json 20 ms, orjson 12, simdjson 4. What is not plainly numbers, and what
only a slower reader refuses in the right words, is None here. So is everything where simdjson is not installed: it has
no wheel for Python 3.14 yet.
"""

import threading
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from services.serving import octets

simdjson: Any = import_module("simdjson") if find_spec("simdjson") else None

Numbers = npt.NDArray[np.float64]

# Below it no reader takes a tenth of a millisecond.
LEAST_BYTES = 4_096
# A parser has 14 bytes of memory for each of its largest text. For larger ones it goes with the text; else it stays for
# the thread's next, which spares 3 of 5 ms: memory is mapped and zeroed anew for each parser.
MOST_KEPT_BYTES = 2 * 2**20
# Lists of a request whose numbers are flat; to look for each bracket is quicker then than to look at each octet.
_FEW = 32

_kept = threading.local()


class _OddError(Exception):
    """Not for this reader."""


# And what simdjson raises: no JSON, too deep, a number beyond a double or 64 bits, no number where one must be.
_ODD = (_OddError, KeyError, ValueError, RuntimeError, TypeError)


def rows(body: bytes, width: int) -> Numbers | None:
    """The matrix of `{"features": [[number, ...], ...]}`, (n_rows, width)."""
    try:
        document = _fields(_parsed(body))
        numbers, n_lists = _numbers(document.pop("features"), width)
    except _ODD:
        return None
    whole = not document and n_lists > 1 and octets.count(body, b"[") == n_lists
    return numbers.reshape(-1, width) if whole else None


def tensors(text: bytes) -> dict[str, Any] | None:
    """A request of the Open Inference Protocol as orjson reads it, but for tensors' data of numbers: arrays, (n,).

    Their lists are flat, or hold lists that are each as long as the shape says.
    """
    try:
        request = _fields(_parsed(text))
        inputs = [_fields(entry) for entry in request.pop("inputs")]
        data = [tensor.pop("data") for tensor in inputs]
        found: dict[str, Any] = {**_plain(request), "inputs": [_plain(tensor) for tensor in inputs]}
        n_lists = _lists_in(found)
        for tensor, values in zip(found["inputs"], data, strict=True):
            if tensor["datatype"] in ("BOOL", "BYTES"):
                return None
            tensor["data"], n_more = _numbers(values, *tensor["shape"][1:])
            n_lists += n_more
    except _ODD:
        return None
    n_brackets = octets.count_few(text, b"[", n_lists) if n_lists <= _FEW else octets.count(text, b"[")
    return found if n_brackets == n_lists else None


def _parsed(text: bytes) -> Any:
    # A bracket that is escaped would be counted wrongly; a byte order mark is none of JSON's.
    if simdjson is None or len(text) < LEAST_BYTES or b"\\" in text or not text.startswith(b"{"):
        raise _OddError
    return _parser(len(text)).parse(text)


def _parser(n_bytes: int) -> Any:
    """The thread's own. While anything of its former text is held it raises `RuntimeError`: an odd text, so."""
    if n_bytes > MOST_KEPT_BYTES:
        return simdjson.Parser()
    if not hasattr(_kept, "parser"):
        _kept.parser = simdjson.Parser()
    return _kept.parser


def _fields(entry: Any) -> dict[str, Any]:
    """What an object holds, not looked into."""
    names = list(entry) if isinstance(entry, simdjson.Object) else []
    if not names or len(set(names)) < len(names):
        raise _OddError
    return {name: entry[name] for name in names}  # items() would make Python's objects of all numbers


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """The same as Python's objects."""
    return {key: _unboxed(value) for key, value in fields.items()}


def _unboxed(value: Any) -> Any:
    if isinstance(value, simdjson.Object):
        return value.as_dict()
    return value.as_list() if isinstance(value, simdjson.Array) else value


def _numbers(found: Any, *widths: int) -> tuple[Numbers, int]:
    """The numbers of a list, or of a list of lists of one width; and how many lists these are, if no more are in them.

    simdjson flattens whatever is in a list: the caller has to count the brackets.
    """
    if not isinstance(found, simdjson.Array) or not len(found):
        raise _OddError
    n_lists = 1
    if isinstance(found[0], simdjson.Array):
        if [*set(map(len, found))] != [*widths]:
            raise _OddError
        n_lists += len(found)
    return np.frombuffer(found.as_buffer(of_type="d")), n_lists


def _lists_in(value: Any) -> int:
    """Lists in Python's objects, of any depth."""
    if isinstance(value, dict):
        return sum(map(_lists_in, value.values()))
    return 1 + sum(map(_lists_in, value)) if isinstance(value, list) else 0
