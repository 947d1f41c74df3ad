"""The table of the latest rows: it never mixes rows up, and it forgets rather than grows."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.serving.recall import Known, Recall

_requests = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d", "e"]), st.lists(st.floats(allow_nan=False), min_size=1, max_size=6)),
    max_size=30,
)


@given(requests=_requests, n_slots=st.sampled_from([1, 4, 16, 1024]))
def test_a_row_is_remembered_as_it_was_last_or_not_at_all(
    requests: list[tuple[str, list[float]]], n_slots: int
) -> None:
    recall, said = Recall(n_slots), dict[tuple[str, int], Known]()
    for request_id, values in requests:
        recall.remember(request_id, values)
        said |= {(request_id, row): Known(value, len(values)) for row, value in enumerate(values)}
    for (request_id, row), known in said.items():
        assert recall.find(request_id, row) in (known, None)
    assert recall.find("never", 0) is None
    assert recall.find("a", 6) is None
    if requests:
        request_id, values = requests[-1]
        kept = [recall.find(request_id, row) for row in range(len(values))]
        assert any(kept), "the latest request has at least one slot"
        assert n_slots < 1024 or kept == [Known(value, len(values)) for value in values]


def test_nothing_grows_and_the_newest_are_known_best() -> None:
    recall = Recall(4096)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(20_000):
            recall.remember(f"r{number}", [float(number)])
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000

    def known(first: int, last: int) -> float:
        return sum(recall.find(f"r{number}", 0) is not None for number in range(first, last)) / (last - first)

    assert known(19_900, 20_000) > 0.9
    assert 0.29 < known(20_000 - 4_600, 20_000 - 3_600) < 0.45  # 1/e; 1,000 draws, five standard deviations
    assert known(0, 1_000) < 0.05


def test_requests_of_one_row_may_be_remembered_together() -> None:
    recall, numbers = Recall(4096), range(500)
    recall.remember_each([f"r{number}" for number in numbers], np.arange(500, dtype=np.float32) / 2)
    recall.put("r7", 0, 1.5)
    found = [recall.find(f"r{number}", 0) for number in numbers]
    assert sum(known is None for known in found) < 60
    assert all(known in (None, Known(number / 2, 1)) for number, known in enumerate(found) if number != 7)
    assert found[7] == Known(1.5, 1)


def test_many_rows_of_one_request_do_not_get_into_each_others_way() -> None:
    recall = Recall(2048)
    recall.remember("r", [float(row) for row in range(1024)])
    assert [recall.find("r", row) for row in range(1024)] == [Known(float(row), 1024) for row in range(1024)]


@pytest.mark.parametrize("n_slots", [3, 1000, 2**23])
def test_a_size_that_is_no_power_of_two_is_refused(n_slots: Any) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Recall(n_slots)


@pytest.mark.parametrize("n_slots", [8, 64, 2**18])
@pytest.mark.parametrize("request_id", [f"r{number}" for number in range(8)])
def test_rows_beyond_the_tables_end_go_on_at_its_beginning(n_slots: int, request_id: str) -> None:
    recall, n_rows = Recall(n_slots), n_slots
    recall.remember(request_id, np.arange(n_rows) / 2)
    assert all(recall.find(request_id, row) == Known(row / 2, n_rows) for row in (0, 1, n_rows // 2, n_rows - 1))
