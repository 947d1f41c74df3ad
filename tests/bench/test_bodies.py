import json
from pathlib import Path

import numpy as np
import pytest

from tests.bench import bodies
from tests.bench.bodies import HEADER_LENGTH, Body

ROWS = np.array([[1.5, 2.0], [3.0, 4.25]])
NAMES = ("a", "b")


def test_one_row_is_named_and_many_are_positional() -> None:
    assert json.loads(bodies.named(ROWS[:1], NAMES).content) == {"a": 1.5, "b": 2.0}
    assert json.loads(bodies.named(ROWS, NAMES).content) == {"features": [[1.5, 2.0], [3.0, 4.25]]}


def test_a_tensor_holds_its_rows_one_after_another() -> None:
    (given,) = json.loads(bodies.tensor("rows", "FP32")(ROWS, NAMES).content)["inputs"]
    assert given == {"name": "rows", "shape": [2, 2], "datatype": "FP32", "data": [1.5, 2.0, 3.0, 4.25]}


def test_a_binary_body_is_its_head_and_the_raw_numbers() -> None:
    body = bodies.binary("rows", "FP32")(ROWS, NAMES)
    length = int(body.headers[HEADER_LENGTH])
    head = json.loads(body.content[:length])
    assert head["inputs"][0]["parameters"] == {"binary_data_size": 16}
    assert np.frombuffer(body.content[length:], "<f4").tolist() == [1.5, 2.0, 3.0, 4.25]


def test_a_file_holds_each_body_behind_its_length(tmp_path: Path) -> None:
    headers = bodies.write(tmp_path / "b", [Body(b"one"), Body(b"\n2\x00")])
    assert (tmp_path / "b").read_bytes() == b"3\none\n3\n\n2\x00\n"
    assert headers == {"Content-Type": "application/json"}


def test_bodies_of_one_file_share_their_headers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="headers differ"):
        bodies.write(tmp_path / "b", [Body(b"one"), Body(b"two", {"Content-Type": "text/csv"})])
