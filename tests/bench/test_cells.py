from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pytest

from tests.bench import __main__ as command
from tests.bench.cells import CELLS, Bodies, Cell
from tests.bench.estimators import RECIPES, Made, drawn
from tests.bench.targets import LIMIT, OURS, PEERS


class _Rows(NamedTuple):
    """As much of a classifier as its requests need."""

    name: str
    rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    features: tuple[str, ...]


def test_a_single_row_is_asked_in_one_way_and_many_in_each() -> None:
    assert [way.name for way in Cell("forest", 1, 32).ways(OURS)] == ["/predict"]
    assert [way.name for way in Cell("forest", 4096, 4).ways(OURS)] == ["/predict", "V2", "V2 binary"]
    assert Cell("forest", 4096, 4).ways(LIMIT) == ()


def test_every_cell_is_of_a_classifier_that_there_is() -> None:
    assert {cell.model for cell in CELLS} == set(RECIPES)


def test_rows_are_drawn_alike_each_time_and_differ_from_one_another() -> None:
    table = np.array([[5.1, 3.5], [6.2, 2.8]])
    rows = drawn(table, 4)
    assert np.array_equal(rows, drawn(table, 4))
    assert len(np.unique(rows, axis=0)) > 0.9 * len(rows)


def test_bodies_of_a_file_differ_and_are_written_once(tmp_path: Path) -> None:
    rows = np.arange(2 * 32768, dtype=float).reshape(-1, 2)
    made = cast(Made, _Rows("forest", rows, ("a", "b")))
    kept = Bodies(tmp_path)
    file, headers = kept.of(OURS, OURS.ways[0], made, 1)
    contents = file.read_bytes().splitlines()[1::2]
    assert len(contents) == len(set(contents)) == 512
    assert headers == {"Content-Type": "application/json"}
    assert kept.of(OURS, OURS.ways[0], made, 1)[0] == file
    assert kept.of(PEERS[0], PEERS[0].ways[0], made, 1)[0] != file


def test_many_rows_of_a_tutorial_go_to_another_route() -> None:
    way = PEERS[0].ways[0]
    assert (way.route("forest", 1), way.route("forest", 4096)) == ("/predict", "/predict/batch")
    assert replace(way, path="/v2/models/{model}/infer").route("forest", 1) == "/v2/models/forest/infer"


@pytest.mark.parametrize("cores", [("0", "0"), ("0", "999")], ids=["one and the same", "one that is not there"])
def test_server_and_load_need_a_core_each(cores: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["serving", "--server-core", cores[0], "--load-core", cores[1]]) == 2
    assert "the bench pins the server to one core and the load to another" in capsys.readouterr().err
