"""Rows of tensors as the capture log writes them: made late, by name, in JSON's values."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.serving.capture import Capture
from services.serving.metrics import Metrics
from services.serving.settings import Settings
from services.serving.v2.named import Named, named_rows
from tests.services.serving.conftest import FEATURES
from tests.services.serving.v2.conftest import NUMBERS

SETTINGS = Settings("house", "7", "s3://b/house", "sha256:" + "a" * 64, Path("/nowhere"))


def test_numbers_are_the_callers_decimals() -> None:
    matrix = np.array([[0.1, 3, np.nan], [1e-7, 4, 1 / 3]], dtype=np.float32)
    rows = list(named_rows(NUMBERS, list(matrix.T), 2))
    assert rows == [{"age": 0.1, "rooms": 3, "area": None}, {"age": 1e-7, "rooms": 4, "area": 0.33333334}]
    assert type(rows[0]["rooms"]) is int


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i8", "u1"])
def test_every_kind_of_array_becomes_json(dtype: str) -> None:
    columns = [np.array([1, 2], dtype=dtype)] * 3
    rows = list(named_rows(NUMBERS, columns, 2))
    assert json.loads(json.dumps(rows)) == [{"age": 1, "rooms": 1, "area": 1}, {"age": 2, "rooms": 2, "area": 2}]


def test_strings_stand_as_they_came() -> None:
    values: list[Any] = [np.array([41.5]), np.array([6]), ["Mud"], [None], ["2008-02-29"]]
    (row,) = named_rows(FEATURES, values, 1)
    assert row == {"age": 41.5, "rooms": 6, "street": "Mud", "zone": None, "sold": "2008-02-29"}


def test_rows_are_made_only_when_they_are_looked_at_and_a_few_at_a_time() -> None:
    asked: list[slice] = []

    def chunk(part: slice) -> list[Any]:
        asked.append(part)
        return [{"row": index} for index in range(part.start, part.stop)]

    rows = Named(300, 1, chunk)
    assert (len(rows), asked) == (300, [])
    assert next(iter(rows)) == {"row": 0}
    assert asked == [slice(0, 128)]
    assert [row["row"] for row in rows] == list(range(300))
    assert (rows[-1], rows[1:3]) == ({"row": 299}, [{"row": 1}, {"row": 2}])
    with pytest.raises(IndexError):
        rows[300]


def test_log_holds_what_the_tensors_held_and_counts_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.serving.capture.MAX_WAITING_BYTES", 900_000)  # two of these requests
    written: list[bytes] = []
    metrics = Metrics(model="house", version="7", digest=SETTINGS.digest)
    capture = Capture(
        SETTINGS,
        metrics,
        write=lambda uri, data: written.append(gzip.decompress(data)),
        rng=random.Random(1),  # noqa: S311
    )
    matrix = np.arange(3_000, dtype=np.float32).reshape(1_000, 3)
    rows = named_rows(NUMBERS, list(matrix.T), 1_000)
    predictions = Named(1_000, 0, lambda part: [{"prediction": 1.0}] * (part.stop - part.start))
    assert rows.n_bytes == matrix.nbytes + 400 * 1_000
    for number in range(3):
        capture.offer(f"r{number}", rows, predictions, body_bytes=10**9, n_bytes=rows.n_bytes)
    capture.flush()
    _, *lines = [json.loads(line) for line in written[0].splitlines()]
    assert len(lines) == 2_000
    assert lines[999]["features"] == {"age": 2997.0, "rooms": 2998, "area": 2999.0}
    assert [line["row"] for line in lines[:1_000]] == list(range(1_000))
