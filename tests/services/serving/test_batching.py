"""Every job gets its own rows, in the order of arrival, whatever comes together, goes away or fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.findings import Matrix
from services.serving.batching import LONGEST_RUN_SECONDS, Batcher

N_FEATURES = 3


@dataclass(eq=False)
class Asked:
    """A job whose rows all hold its number."""

    number: int
    n_rows: int
    told: list[object] = field(default_factory=list)

    @property
    def packed(self) -> bytes:
        return np.full((self.n_rows, N_FEATURES), self.number, dtype=np.float32).tobytes()


class Loop:
    """An event loop's `call_soon`, by hand."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def turn(self) -> None:
        due, self.due = self.due, []
        for call in due:
            call()


def batcher(
    loop: Loop, *, most_rows: int = 8, fails: Callable[[Matrix], bool] = lambda matrix: False, seconds: float = 0.0
) -> tuple[Batcher[Asked, Matrix], list[int]]:
    """One whose graph answers twice the row, and the sizes of its runs."""
    sizes: list[int] = []
    now = [0.0]

    def run(matrix: Matrix) -> Matrix:
        sizes.append(len(matrix))
        now[0] += seconds * len(matrix)
        if fails(matrix):
            raise RuntimeError("the graph failed")
        return 2 * matrix

    def finish(jobs: Sequence[tuple[Asked, int]], outcome: Matrix) -> None:
        for job, at in jobs:
            job.told.append(outcome[at : at + job.n_rows].tolist())

    def fail(jobs: Sequence[Asked], error: Exception) -> None:
        for job in jobs:
            job.told.append(str(error))

    made = Batcher(
        n_features=N_FEATURES,
        most_rows=most_rows,
        run=run,
        finish=finish,
        fail=fail,
        call_soon=lambda call: loop.due.append(call),
        clock=lambda: now[0],
    )
    return made, sizes


SUBMIT = st.tuples(st.just("submit"), st.integers(1, 12))
WITHDRAW = st.tuples(st.just("withdraw"), st.integers(0, 40))
OTHER = st.tuples(st.sampled_from(["turn", "flush"]), st.just(0))


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(SUBMIT | SUBMIT | WITHDRAW | OTHER, max_size=40), odd=st.booleans())
def test_every_job_gets_its_own_rows_once(steps: list[tuple[str, int]], odd: bool) -> None:
    loop = Loop()
    made, sizes = batcher(loop, fails=lambda matrix: odd and bool((matrix % 5 == 4).any()))
    jobs: list[Asked] = []
    gone: set[int] = set()
    order: list[int] = []
    for what, number in steps:
        if what == "submit":
            jobs.append(Asked(len(jobs), number))
            made.submit(jobs[-1])
        elif what == "withdraw" and number < len(jobs) and made.withdraw(jobs[number]):
            gone.add(number)
        elif what == "turn":
            loop.turn()
        elif what == "flush":
            made.flush()
            assert all(job.told for job in jobs if job.number not in gone), "flush leaves nobody waiting"
        order += [job.number for job in jobs if job.told and job.number not in order]
    while loop.due:
        loop.turn()
    for job in jobs:
        right: list[object] = [[[2.0 * job.number] * N_FEATURES] * job.n_rows]
        if job.number in gone:
            assert job.told == []
        else:
            assert job.told == right or (odd and job.told == ["the graph failed"])
    assert order == sorted(order), "answers come in the order of arrival"
    assert all(size <= 12 for size in sizes)


def test_jobs_of_one_turn_run_together() -> None:
    loop = Loop()
    made, sizes = batcher(loop)
    for number in range(5):
        made.submit(Asked(number, 1))
    assert sizes == []
    loop.turn()
    assert (sizes, loop.due) == ([5], [])


def test_more_than_one_run_may_take_leaves_a_turn_to_others() -> None:
    loop = Loop()
    made, sizes = batcher(loop, most_rows=4)
    for number in range(10):
        made.submit(Asked(number, 1))
    loop.turn()
    assert (sizes, len(loop.due)) == ([4], 1)
    loop.turn()
    loop.turn()
    assert (sizes, loop.due) == ([4, 4, 2], [])


def test_job_of_more_rows_than_a_run_may_take_runs_alone() -> None:
    loop = Loop()
    made, sizes = batcher(loop, most_rows=4)
    for number, n_rows in enumerate([1, 9, 1]):
        made.submit(Asked(number, n_rows))
    made.flush()
    assert sizes == [1, 9, 1]


@pytest.mark.parametrize(("seconds", "expected"), [(LONGEST_RUN_SECONDS, 1), (0.0, 64)])
def test_slow_graph_gets_fewer_rows_a_run(seconds: float, expected: int) -> None:
    loop = Loop()
    made, sizes = batcher(loop, most_rows=64, seconds=seconds)
    for number in range(400):
        made.submit(Asked(number, 1))
    made.flush()
    assert (sizes[0], sizes[10 if expected == 1 else 5]) == (64, expected)


def test_graph_that_is_fast_again_gets_its_rows_back() -> None:
    loop = Loop()
    made, sizes = batcher(loop, most_rows=64, seconds=LONGEST_RUN_SECONDS / 6)
    for number in range(1_000):
        made.submit(Asked(number, 1))
    made.flush()
    assert sizes[0] == 64
    assert set(sizes[1:-1]) <= {32, 16, 8, 4, 2}
