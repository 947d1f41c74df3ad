"""Requests that come in one turn of the event loop run through the graph together. No transport, no clock of its own.

A timer would make every request wait for its end; a turn costs nothing: the loop reads every socket that has data, then
calls what was scheduled meanwhile. One call of the graph costs about as much for 32 rows as for 4.

Each job is told its own rows of the outputs, in the order of arrival.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from models.findings import Matrix

# While the graph runs, nothing else does: no probe is answered and no deadline is seen.
LONGEST_RUN_SECONDS = 0.02


class Job(Protocol):
    """What waits for its rows.

    Attributes:
        packed: its rows, each `n_features` float32 of this machine's byte order, one after another.
        n_rows: how many.
    """

    @property
    def packed(self) -> bytes: ...

    @property
    def n_rows(self) -> int: ...


J = TypeVar("J", bound=Job)
T = TypeVar("T")


class Batcher(Generic[J, T]):
    """Collects jobs and runs them, at most `most_rows` rows at once unless a job alone has more.

    Args:
        run: the graph, from (n_rows, n_features) float32 to whatever `finish` reads.
        finish: is given jobs whose rows were run together, each with the index of its first row, and `run`'s result.
        fail: is given jobs whose run raised, and the error. Neither may raise.
        call_soon: of the event loop.
        clock: seconds, for the length of a run.
    """

    def __init__(
        self,
        *,
        n_features: int,
        most_rows: int,
        run: Callable[[Matrix], T],
        finish: Callable[[Sequence[tuple[J, int]], T], None],
        fail: Callable[[Sequence[J], Exception], None],
        call_soon: Callable[[Callable[[], None]], Any],
        clock: Callable[[], float],
    ) -> None:
        self._n_features = n_features
        self._most_rows = self._rows_a_run = most_rows
        self._run, self._finish, self._fail = run, finish, fail
        self._call_soon, self._clock = call_soon, clock
        self._jobs: deque[J] = deque()
        self._due = False

    def submit(self, job: J) -> None:
        """Takes a job; it is run when the event loop has read what there was to read."""
        self._jobs.append(job)
        if not self._due:
            self._due = True
            self._call_soon(self._turn)

    def withdraw(self, job: J) -> bool:
        """Forgets a job. Returns whether it still waited."""
        try:
            self._jobs.remove(job)
        except ValueError:
            return False
        return True

    def flush(self) -> None:
        """Runs everything that waits, now: for whoever must answer after it."""
        while self._jobs:
            self._run_some()

    def _turn(self) -> None:
        self._due = False
        if self._jobs:
            self._run_some()
        if self._jobs:  # more than one run may take: others have their turn between
            self._due = True
            self._call_soon(self._turn)

    def _run_some(self) -> None:
        taken: list[tuple[J, int]] = []
        rows = 0
        while self._jobs and (not taken or rows + self._jobs[0].n_rows <= self._rows_a_run):
            job = self._jobs.popleft()
            taken.append((job, rows))
            rows += job.n_rows
        packed = b"".join([job.packed for job, _ in taken])
        matrix = np.frombuffer(packed, dtype=np.float32).reshape(rows, self._n_features)
        begun = self._clock()
        try:
            outcome = self._run(matrix)
        except Exception as err:  # noqa: BLE001  (whatever the runtime raises: its callers are told, one by one)
            self._fail([job for job, _ in taken], err)
            return
        self._pace(self._clock() - begun, rows)
        self._finish(taken, outcome)

    def _pace(self, seconds: float, rows: int) -> None:
        """Fewer rows a run where one took too long, more again where none does."""
        if seconds > LONGEST_RUN_SECONDS:
            self._rows_a_run = max(1, min(self._rows_a_run, rows) // 2)
        elif self._rows_a_run < self._most_rows and seconds < LONGEST_RUN_SECONDS / 4:
            self._rows_a_run = min(self._most_rows, 2 * self._rows_a_run)
