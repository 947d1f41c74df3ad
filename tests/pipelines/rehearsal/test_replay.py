"""The rows that are replayed: a bundle's held-out ones, or the latest of a capture log as the server writes it."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.errors import ConfigError
from models.rows import encode
from pipelines.rehearsal import replay
from tests.specimens.making import made

pytestmark = pytest.mark.slow  # trains a bundle first


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return made("diabetes-stable")


def part(folder: Path, hour: str, name: str, rows: list[dict[str, object]]) -> None:
    place = folder / "model=diabetes" / "version=1" / "hash=abc" / f"hour={hour}"
    place.mkdir(parents=True, exist_ok=True)
    lines = [{"capture": 1, "model": "diabetes"}, *({"row": 0, "features": row, "prediction": {}} for row in rows)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (place / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode()))


def test_held_out_rows_are_what_the_server_takes(bundle: Bundle) -> None:
    rows = replay.held_out_rows(bundle)
    assert len(rows) > 100
    encoded = encode([dict(row) for row in rows], bundle.features)
    assert not np.isnan(encoded.matrix).any()


def test_captured_rows_come_newest_first_and_whole_ones_alone(bundle: Bundle, tmp_path: Path) -> None:
    first, second, third = (dict(row) for row in replay.held_out_rows(bundle)[:3])
    part(tmp_path, "2026-11-21T09", "20261121T095900000000-a-1", [first])
    part(tmp_path, "2026-11-21T10", "20261121T100000000000-a-1", [second])
    part(tmp_path, "2026-11-21T10", "20261121T101000000000-a-1", [third, {"age": 50}])
    assert replay.captured_rows(tmp_path.as_uri(), bundle) == [third, second, first]


def test_capture_log_without_rows_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no row of diabetes"):
        replay.captured_rows(tmp_path.as_uri(), bundle)
    with pytest.raises(ConfigError, match="traffic: nowhere: cannot be opened"):
        replay.captured_rows("nowhere", bundle)
