"""How many rows may wait for the graph or be in it: beyond, a request is told to come again, at once."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from services.problems import Fault, Kind, Problem

# More would only share the interpreter; the second one reads its rows while the first one's graph runs.
THREADS = 2

T = TypeVar("T")


class Room:
    """Counts rows in and out, on the event loop's thread. One request that is larger than all of it fits when empty."""

    def __init__(self, most_rows: int) -> None:
        self._most = most_rows
        self._taken = 0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rows")

    @property
    def left(self) -> int:
        """Rows that still fit."""
        return self._most - self._taken

    def take(self, n_rows: int) -> None:
        """Counts rows in.

        Raises:
            Problem: they do not fit.
        """
        if self._taken and n_rows > self.left:
            rule, remedy = f"at most {self._most} rows wait at once", "try again in a second"
            fault = Fault("server", f"{self._taken} rows wait", rule, remedy)
            raise Problem(Kind.BUSY, "Too many rows wait for their answer.", [fault], {"Retry-After": "1"})
        self._taken += n_rows

    def give_back(self, n_rows: int) -> None:
        """Counts rows out."""
        self._taken -= n_rows

    async def run(self, n_rows: int, compute: Callable[[], T]) -> T:
        """What `compute` returns, from a thread. Its rows count until the thread is done with them, whoever waits.

        Raises:
            Problem: they do not fit.
        """
        self.take(n_rows)
        loop = asyncio.get_running_loop()

        def done(future: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody counts any more
                loop.call_soon_threadsafe(self.give_back, n_rows)

        future = self._threads.submit(compute)
        future.add_done_callback(done)
        return await asyncio.wrap_future(future)
