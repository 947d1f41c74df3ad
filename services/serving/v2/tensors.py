"""From a tensor's data to its values: an array of numbers, or a list where they are strings.

Numbers come out without a Python object for each where they came as bytes, and as float64 with NaN for null where they
came as JSON. A string of no length is a missing value: the binary layout has no other way to say it.
"""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import orjson

from services.problems import Fault, Kind, Problem
from services.serving.v2.datatypes import BOOL, BYTES, NUMPY
from services.serving.v2.requests import Tensor

Values = npt.NDArray[Any] | list[Any]

_NUMBERS = frozenset((int, float, type(None)))
_TRUTHS = frozenset((bool, type(None)))
_STRINGS = frozenset((str, type(None)))
_MIDNIGHT = "T00:00:00"


def values(tensor: Tensor) -> Values:
    """Its values in row-major order, (n,).

    Raises:
        Problem: as many as its shape has not, of another type, or beyond the datatype.
    """
    if isinstance(tensor.data, np.ndarray):  # of a datatype of numbers
        _check_count(tensor, len(tensor.data))
        return _within(tensor, tensor.data)
    if tensor.datatype == BYTES:
        return _decoded(tensor, _strings(tensor) if isinstance(tensor.data, bytes) else _flat(tensor, tensor.data))
    if isinstance(tensor.data, bytes):
        return _array(tensor, tensor.data)
    return _within(tensor, _numbers(tensor, _flat(tensor, tensor.data)))


def _array(tensor: Tensor, data: bytes) -> npt.NDArray[Any]:
    kind = NUMPY[tensor.datatype]
    size = math.prod(tensor.shape) * kind.itemsize
    if len(data) != size:
        _refuse(tensor, f"{len(data)} bytes", f"{tensor.datatype} of its shape is {size} bytes", "check shape and size")
    found = np.frombuffer(data, dtype=kind)
    if tensor.datatype == BOOL and (found > 1).any():
        _refuse(tensor, int(found.max()), "a BOOL is a byte of 0 or 1", "send UINT8 if it is a number")
    return found


def _numbers(tensor: Tensor, found: list[Any]) -> npt.NDArray[np.float64]:
    boolean = tensor.datatype == BOOL
    strangers = set(map(type, found)) - (_TRUTHS if boolean else _NUMBERS)
    if strangers:
        wrong = next(value for value in found if type(value) in strangers)
        words = "true, false" if boolean else "numbers"
        _refuse(tensor, wrong, f"{tensor.datatype} data is {words} and null", "check the datatype")
    return np.array(found, dtype=np.float64)


def _within(tensor: Tensor, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same, if the datatype holds each of them."""
    kind = NUMPY[tensor.datatype]
    if kind.kind in "iu" and tensor.datatype != BOOL:
        limits = np.iinfo(kind.name)
        fits = (numbers == np.floor(numbers)) & (numbers >= limits.min) & (numbers <= limits.max)
        fits |= np.isnan(numbers)
        if not fits.all():
            wrong = numbers[int(np.argmin(fits))].item()
            rule = f"{tensor.datatype} holds whole numbers, {limits.min} to {limits.max}"
            _refuse(tensor, int(wrong) if wrong.is_integer() else wrong, rule, "send FP64")
    return numbers


def _flat(tensor: Tensor, found: list[Any]) -> list[Any]:
    """The elements of a list that is flat, or nested as the shape is."""
    for depth, size in enumerate(tensor.shape[1:], start=1):
        if not (found and type(found[0]) is list):
            break
        if len(found) != math.prod(tensor.shape[:depth]) or any(type(v) is not list or len(v) != size for v in found):
            _refuse(tensor, found, "data is flat, or nested as its shape is", "check shape and data")
        found = list(chain.from_iterable(found))
    _check_count(tensor, len(found))
    return found


def _check_count(tensor: Tensor, n_elements: int) -> None:
    if n_elements != math.prod(tensor.shape):
        rule = f"its shape has {math.prod(tensor.shape)} elements"
        _refuse(tensor, f"{n_elements} elements", rule, "check shape and data")


def _strings(tensor: Tensor) -> list[str]:
    """The elements of binary BYTES: each its length in 4 bytes, then UTF-8."""
    data, count = tensor.data, math.prod(tensor.shape)
    assert isinstance(data, bytes)  # noqa: S101  (asked by the caller)
    found: list[str] = []
    start, end = 0, len(data)
    try:
        while start + 4 <= end and len(found) < count:
            stop = start + 4 + int.from_bytes(data[start : start + 4], "little")
            if stop > end:
                break
            found.append(data[start + 4 : stop].decode())
            start = stop
    except UnicodeDecodeError:
        _refuse(tensor, f"element {len(found)}", "BYTES are UTF-8 here", "encode strings as UTF-8")
    if start != end or len(found) != count:
        rule = f"holds {count} elements, each its length in 4 bytes and as many bytes"
        _refuse(tensor, f"{end} bytes", rule, "check shape and binary_data_size")
    return found


def _decoded(tensor: Tensor, found: Sequence[Any]) -> list[Any]:
    """Strings as the codec meant them that its content type names."""
    if not set(map(type, found)) <= _STRINGS:
        wrong = next(value for value in found if type(value) not in _STRINGS)
        _refuse(tensor, wrong, "BYTES data is strings and null", "quote it, or send another datatype")
    if tensor.content_type == "pd_json":  # what MLServer makes of a column of strings with None among them
        try:
            return [orjson.loads(value) if value else None for value in found]
        except orjson.JSONDecodeError:
            _refuse(tensor, "no JSON", "elements of content type pd_json are JSON documents", "use content type str")
    if tensor.content_type == "datetime":
        return [value.removesuffix(_MIDNIGHT) if value else None for value in found]
    return [value or None for value in found]


def _refuse(tensor: Tensor, value: object, rule: str, remedy: str) -> NoReturn:
    raise Problem(Kind.SHAPE, "A tensor's data does not fit it.", [Fault(tensor.name, value, rule, remedy)])
