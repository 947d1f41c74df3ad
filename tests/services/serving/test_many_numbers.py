"""Arrays that are read from JSON hold what the standard reader reads, or are not read at all."""

import json
import math
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.serving import many_numbers

pytest.importorskip("simdjson", reason="it has no wheel for this Python")

NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1) | st.integers(-9, 9)
ODD: list[Any] = [None, True, "1", "[", [1.0], [], {}, {"a": 1}, math.nan, math.inf, 2**64, 10**400]
WIDTH = 3


@pytest.fixture(autouse=True)
def _every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_numbers, "LEAST_BYTES", 0)


@st.composite
def tables(draw: st.DrawFn) -> list[Any]:
    """Rows of numbers, with at most one thing that is none."""
    found: list[Any] = draw(st.lists(st.lists(NUMBER, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=4))
    odd = draw(st.integers(0, 3))
    if odd == 1:
        found[-1][draw(st.integers(0, WIDTH - 1))] = draw(st.sampled_from(ODD))
    elif odd == 2:
        found.insert(draw(st.integers(0, 1)), draw(st.sampled_from([*ODD, [1.0, 2.0], [1.0] * 4])))
    return found


def right(table: list[Any]) -> bool:
    """Whether a table is rows of numbers that a double or 64 bits hold."""
    return all(
        type(row) is list and len(row) == WIDTH and all(type(cell) in (int, float) for cell in row) for row in table
    ) and all(-(2**63) <= cell < 2**64 for row in table for cell in row if type(cell) is int)


@settings(max_examples=200, deadline=None)
@given(table=tables(), indent=st.sampled_from([None, 1]))
def test_rows_are_those_of_the_standard_reader(table: list[Any], indent: int | None) -> None:
    body = json.dumps({"features": table}, indent=indent).encode()
    found = many_numbers.rows(body, WIDTH)
    finite = not any(word in body for word in (b"NaN", b"Infinity"))
    assert (found is not None) == (right(table) and finite), body
    if found is not None:
        assert found.tobytes() == np.array(table, dtype=np.float64).tobytes()


ODD_BODIES = (
    b"", b"[]", b"{}", b'{"features":[]}', b'{"features":[[]]}', b'{"features":[1,2,3]}', b'{"features":{"a":[1,2,3]}}',
    b'{"features":[[1,2,3]],"features":[[1,2,3]]}', b'{"features":[[1,2,3]],"instances":[]}', b'{"rows":[[1,2,3]]}',
    b'{"features":[[1,2,[3]]]}', b'{"features":[[1,2,3],4,5,6]}', b'{"features":[[1,2,3],{"a":1,"b":2,"c":3}]}',
    b'{"\\u0066eatures":[[1,2,3]]}', b'{"features":[[1,2,3]]', b'{"features":[[1,2,3]]}]', b'{"features":[[1,2,03]]}',
    b'\xef\xbb\xbf{"features":[[1,2,3]]}', b'{"features":[[1,2,1e400]]}', b"[" * 3_000,
)  # fmt: skip


@pytest.mark.parametrize("body", ODD_BODIES)
def test_odd_rows_are_left_to_others(body: bytes) -> None:
    assert many_numbers.rows(body, WIDTH) is None


def request(*inputs: dict[str, Any], **more: Any) -> bytes:
    """A request whose tensors say FP32 and the number of their values, where they say nothing else."""
    tensors = [{"name": "a", "datatype": "FP32", "shape": [len(each["data"])], **each} for each in inputs]
    return json.dumps({"inputs": tensors, **more}).encode()


REQUESTS = {
    "flat": request({"data": [1, 2.5, -3e-3]}),
    "nested": request({"data": [[1, 2], [3, 4], [5, 6]], "shape": [3, 2]}),
    "two tensors": request({"data": [1, 2]}, {"name": "b", "datatype": "INT64", "data": [[3], [4]], "shape": [2, 1]}),
    "told more": request(
        {"data": [1, 2], "parameters": {"content_type": "np", "lists": [1, [2, {"b": []}]]}},
        id="7", parameters={"binary_data_output": True}, outputs=[{"name": "p", "parameters": {"binary_data": True}}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", REQUESTS.values(), ids=REQUESTS)
def test_tensors_are_those_of_the_standard_reader(text: bytes) -> None:
    found, expected = many_numbers.tensors(text), json.loads(text)
    assert found is not None
    for tensor, wanted in zip(found["inputs"], expected["inputs"], strict=True):
        assert tensor.pop("data").tolist() == np.array(wanted.pop("data"), dtype=np.float64).reshape(-1).tolist()
    assert found == expected


ODD_REQUESTS = {
    "strings": request({"data": ["1", "2"]}),
    "null": request({"data": [1, None]}),
    "strings are said": request({"data": [1, 2], "datatype": "BYTES"}),
    "truths are said": request({"data": [1, 0], "datatype": "BOOL"}),
    "a list among numbers": request({"data": [1, [2], 3]}),
    "a list in a list": request({"data": [[1, [2]], [3, 4]], "shape": [2, 2]}),
    "a list in a list, and an escaped bracket": request({"data": [1, [2]], "name": "\n["}),
    "other lengths": request({"data": [[1, 2], [3]], "shape": [2, 2]}),
    "nested beyond the shape": request({"data": [[1, 2], [3, 4]], "shape": [4]}),
    "no data": json.dumps({"inputs": [{"name": "a", "shape": [1], "datatype": "FP32"}]}).encode(),
    "no tensors": b'{"inputs":[]}{',
    "inputs of another kind": b'{"inputs":{"a":1}}',
    "a name twice": b'{"inputs":[{"name":"a","name":"b","datatype":"FP32","shape":[1],"data":[1]}]}',
}  # fmt: skip


@pytest.mark.parametrize("text", ODD_REQUESTS.values(), ids=ODD_REQUESTS)
def test_odd_tensors_are_left_to_others(text: bytes) -> None:
    assert many_numbers.tensors(text) is None


def test_small_requests_are_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    text = REQUESTS["flat"]
    monkeypatch.setattr(many_numbers, "LEAST_BYTES", len(text))
    assert many_numbers.tensors(text) is not None
    monkeypatch.setattr(many_numbers, "LEAST_BYTES", len(text) + 1)
    assert many_numbers.tensors(text) is None


@pytest.mark.parametrize("text", [b'{"features":[[1,2,3]]}', REQUESTS["flat"]])
def test_without_simdjson_all_are_left_to_others(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(many_numbers, "simdjson", None)
    assert many_numbers.rows(text, WIDTH) is None
    assert many_numbers.tensors(text) is None


def test_a_parser_is_used_again_while_what_it_read_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = many_numbers.simdjson.Parser

    def parser() -> Any:
        made.append(real())
        return made[-1]

    monkeypatch.setattr(many_numbers.simdjson, "Parser", parser)
    monkeypatch.setattr(many_numbers, "_kept", threading.local())
    tensor = {"name": "a", "datatype": "FP32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}
    held: list[Any] = []
    for number in range(3):
        held.append(many_numbers.rows(b'{"features":[[1,2,3],[%d,5,6]]}' % number, WIDTH))
        many_numbers.rows(b'{"features":[[1,2,[3]]]}', WIDTH)  # what is odd holds nothing
        held.append(many_numbers.tensors(json.dumps({"inputs": [{**tensor, "name": str(number)}]}).encode()))
    assert [found[1, 0] for found in held[::2]] == [0, 1, 2]
    assert [found["inputs"][0]["name"] for found in held[1::2]] == ["0", "1", "2"]
    assert len(made) == 1


def test_a_parser_of_a_text_that_is_too_large_to_be_kept_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_numbers, "_kept", threading.local())
    monkeypatch.setattr(many_numbers, "MOST_KEPT_BYTES", 10)
    assert many_numbers.rows(b'{"features":[[1,2,3],[4,5,6]]}', WIDTH) is not None
    assert not hasattr(many_numbers._kept, "parser")
