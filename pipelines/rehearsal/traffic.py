"""Requests that come whether or not the former ones were answered, split between two servers by the rollout's share.

`plan` is what is sent when, from a seed alone; `Traffic` sends it over a few kept-alive connections to each server.
"""

import http.client
import json
import queue
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipelines.rehearsal.tally import Tally

# A caller that waited this long has given up.
_PATIENCE_SECONDS = 5.0
# By Little's law enough for 200 requests/s of 40 ms each; a server that is slower makes its own callers wait.
_CONNECTIONS = 8
_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Shot:
    """One request of the plan.

    Attributes:
        at: seconds after the beginning.
        row: which row is sent.
        draw: in [0, 1): the candidate gets it where this is below its share at that moment.
    """

    at: float
    row: int
    draw: float


def plan(seed: int, n_rows: int, rate: float) -> Iterator[Shot]:
    """Requests without end: exponential gaps at `rate` a second; each row once, shuffled, before any comes again."""
    draw = random.Random(seed)  # noqa: S311  (replayed traffic, no secret)
    at, order = 0.0, list(range(n_rows))
    while True:
        draw.shuffle(order)
        for row in order:
            at += draw.expovariate(rate)
            yield Shot(at, row, draw.random())


class Traffic:
    """Sends the plan from `start` to `stop`; `tally` has what its callers saw."""

    def __init__(
        self, rows: Sequence[Mapping[str, object]], addresses: Mapping[str, str], *, rate: float, seed: int
    ) -> None:
        """Rows as a client sends them, and the address of `stable`, `candidate` or both."""
        self.tally = Tally()
        self.rate, self.seed, self.n_rows = rate, seed, len(rows)
        self._bodies = [json.dumps(row).encode() for row in rows]
        self._share = 0.0
        self._reachable = set(addresses)
        self._stopping = threading.Event()
        self._began = 0.0
        self._waiting: dict[str, queue.SimpleQueue[tuple[float, int] | None]] = {
            name: queue.SimpleQueue() for name in addresses
        }
        self._threads = [threading.Thread(target=self._dispatch, name="traffic", daemon=True)]
        self._threads += [
            threading.Thread(target=self._send, args=(name, url), name=f"traffic-{name}", daemon=True)
            for name, url in addresses.items()
            for _ in range(_CONNECTIONS)
        ]

    def start(self) -> None:
        """Begins to send."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def share(self, share: float) -> None:
        """From now on the candidate gets this share of the requests, 0 to 1."""
        self._share = share

    def reachable(self, name: str, is_so: bool) -> None:
        """Whether a server is among the endpoints; while it is not, the other gets its requests."""
        (self._reachable.add if is_so else self._reachable.discard)(name)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began if self._began else 0.0

    def stop(self) -> None:
        """Ends it; requests that are on their way are not waited for longer than a caller would."""
        self._stopping.set()
        for waiting in self._waiting.values():
            for _ in range(_CONNECTIONS):
                waiting.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=_PATIENCE_SECONDS)

    def _dispatch(self) -> None:
        for shot in plan(self.seed, len(self._bodies), self.rate):
            due = self._began + shot.at
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return
            name = "candidate" if shot.draw < self._share else "stable"
            if name not in self._reachable:
                name = next(iter(self._reachable), name)
            if name in self._waiting:
                self._waiting[name].put((due, shot.row))

    def _send(self, name: str, url: str) -> None:
        host = urlsplit(url)
        connection = http.client.HTTPConnection(host.hostname or "", host.port or 80, timeout=_PATIENCE_SECONDS)
        while (item := self._waiting[name].get()) is not None and not self._stopping.is_set():
            due, row = item
            answered = time.monotonic() - due < _PATIENCE_SECONDS and self._post(connection, row)
            if self._stopping.is_set():
                break
            now = time.monotonic()
            self.tally.add(name, now - self._began, now - due, answered=answered)
        connection.close()

    def _post(self, connection: http.client.HTTPConnection, row: int) -> bool:
        try:
            connection.request("POST", "/predict", body=self._bodies[row], headers=_HEADERS)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request opens a new one
            return False
        return 200 <= answer.status < 300
