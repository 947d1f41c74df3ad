"""The hot path behind its HTTP: plain rows in, bytes out, by the turn of the event loop. Called by `hot`.

It answers what `app` would answer, to the byte, and counts, times and captures it alike. Whatever is not plainly an
answer (a row that may be refused, a warning, a number that is not finite, a run that failed, a deadline that passed) it
gives back, and the framework's path answers it: so every refusal is written once, there.

What is computed within one turn cannot be interrupted: a deadline is seen before and after a run, not during it.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import orjson

from models.predictor import Outputs
from services.logs import log
from services.problems import Problem, render
from services.replayed import PREFIX
from services.serving import hot_answers
from services.serving.answer import Computed, compute
from services.serving.batching import Batcher
from services.serving.capture import Capture
from services.serving.hot_rows import RowReader
from services.serving.loader import Served
from services.serving.metrics import Outcome
from services.serving.state import State

# Above it a body comes in many parts, and the framework's path reads those with pauses where they come too fast.
MOST_BODY_BYTES = 65_536
# The forest that ONNX Runtime runs slowest per call gains nothing above, and every row more delays the first.
MOST_ROWS = 128

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_REPLAYED = PREFIX.encode()


Remember = Callable[[Sequence[str], Outputs], object]


class Connection(Protocol):
    """What `hot` offers to be answered on."""

    @property
    def behind(self) -> bool:
        """Whether an earlier request of this connection is still with the framework."""

    def answer(self, request_id: bytes, prediction: bytes) -> None:
        """Sends an answer."""

    def hand_over(self, held: "Held", *, late: bool = False) -> None:
        """Gives a request to the framework; `late`: its deadline has passed."""


class Held:
    """A request to /predict that was read in full and waits for its answer."""

    __slots__ = ("begun", "body", "connection", "headers", "packed", "request_id", "row")

    n_rows = 1

    def __init__(self, connection: Connection, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.connection = connection
        self.headers = headers
        self.body = body
        self.request_id = self.packed = b""
        self.row: dict[str, object] = {}
        self.begun = time.perf_counter()


class Engine:
    """One per process. Closed until `open` is called with the model."""

    def __init__(self, state: State, capture: Capture | None, remember: Remember | None = None) -> None:
        """Closed.

        Args:
            remember: is told of every batch: the ids of the requests that were answered, a row each in the outputs.
        """
        self._state = state
        self._remember = remember
        self._capture = capture
        self._ids = _ids()
        self._most_bytes = -1
        settings = state.settings
        self._identity = {"model": settings.model, "version": settings.version, "digest": settings.digest}
        self._form = (b"", 0)
        self._form_of: object = None

    def open(self, served: Served, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to answer. To be called on the event loop."""
        features = served.bundle.features
        self._read = RowReader(features).read
        self._batcher: Batcher[Held, Computed] = Batcher(
            n_features=len(features),
            most_rows=MOST_ROWS,
            run=partial(compute, served),
            finish=self._finish,
            fail=self._fail,
            call_soon=loop.call_soon,
            clock=time.perf_counter,
        )
        self._most_bytes = min(served.bundle.manifest.serving.max_body_bytes, MOST_BODY_BYTES)

    def accepts(self, n_bytes: int) -> bool:
        """Whether a body of this length may be asked about at all."""
        return n_bytes <= self._most_bytes and not self._state.draining

    def take(self, held: Held, request_id: bytes | None) -> bool:
        """Takes a request to be answered soon, or leaves it to the framework.

        Args:
            request_id: the caller's, where there is one.
        """
        if request_id is None or not _REQUEST_ID.fullmatch(request_id):
            request_id = next(self._ids)
        elif request_id.startswith(_REPLAYED):
            return False
        state = self._state
        if state.draining or state.rows.left < 1:
            return False
        read = self._read(held.body)
        if read is None:
            return False
        held.packed, held.row = read
        held.request_id = request_id
        state.in_flight += 1
        state.rows.take(1)
        self._batcher.submit(held)
        return True

    def leave(self, held: Held) -> None:
        """The caller of a request that waits has gone away."""
        if self._batcher.withdraw(held):
            self._end(1)
            self._state.metrics.requests[Outcome.ABANDONED].inc()

    def flush(self) -> None:
        """Answers everything that waits, now."""
        self._batcher.flush()

    def answer(self, headers: list[tuple[bytes, bytes]], request_id: bytes, prediction: bytes) -> bytes:
        """All bytes of an answer.

        Args:
            headers: uvicorn's own, of which it makes a new list each second.
        """
        if headers is not self._form_of:
            self._form = hot_answers.form(headers, self._identity)
            self._form_of = headers
        form, length = self._form
        return form % (length + len(request_id) + len(prediction), request_id, request_id, prediction)

    def refusal(self, problem: Problem, headers: list[tuple[bytes, bytes]]) -> bytes:
        """All bytes of an answer to what was no request."""
        request_id = next(self._ids)
        answer = render(problem, path="", request_id=request_id.decode())
        own = [(b"x-request-id", request_id), (b"mainline-digest", self._state.settings.digest.encode())]
        return hot_answers.head(problem.status, [*headers, *answer.raw_headers, *own]) + bytes(answer.body)

    def _finish(self, jobs: Sequence[tuple[Held, int]], computed: Computed) -> None:
        """Answers what was run together, in the order of arrival."""
        state, capture = self._state, self._capture
        now, at = time.perf_counter(), datetime.now(UTC)
        stamp = at.isoformat()
        earliest = now - state.settings.request_seconds
        observe, dumps = state.metrics.seconds.observe, orjson.dumps
        state.last_request = time.monotonic()
        self._end(len(jobs))
        lost, predictions = computed.lost, computed.predictions
        answered: list[int] = []
        ids: list[bytes] = []
        lines: list[bytes] = []
        for held, index in jobs:
            connection = held.connection
            # What would be answered out of turn goes the long way too, behind the one before it.
            if held.begun < earliest or index in lost or connection.behind:
                connection.hand_over(held, late=held.begun < earliest)
                continue
            prediction = dumps(predictions[index])
            connection.answer(held.request_id, prediction)
            answered.append(index)
            ids.append(held.request_id)
            observe(now - held.begun)
            if capture is not None and capture.wants():
                lines.append(capture.line(stamp, held.request_id, held.body, held.row, prediction))
        state.metrics.requests[Outcome.ANSWERED].inc(len(answered))
        state.metrics.rows.inc(len(answered))
        if lines and capture is not None:
            capture.offer_lines(at, lines)
        if self._remember is not None and answered:
            outputs = {name: values[answered] for name, values in computed.outputs.items()}
            self._remember([each.decode() for each in ids], outputs)

    def _end(self, n_requests: int) -> None:
        self._state.in_flight -= n_requests
        self._state.rows.give_back(n_requests)

    def _fail(self, jobs: Sequence[Held], error: Exception) -> None:
        """Has each asked again alone: the framework's path tells which one fails, and why."""
        log.warning("a batch failed", extra={"rows": len(jobs), "reason": type(error).__name__})
        self._end(len(jobs))
        for held in jobs:
            held.connection.hand_over(held)


def _ids() -> Iterator[bytes]:
    """Ids as `uuid4().hex` makes them, as random and at a tenth of the cost: random bytes are had by the page."""
    while True:
        page = os.urandom(4096).hex().encode()
        for start in range(0, len(page), 32):
            yield page[start : start + 32]
