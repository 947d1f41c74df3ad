"""A server in a thread of the test, with the hot path or without it, and callers on raw sockets."""

import asyncio
import contextlib
import dataclasses
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette

from services.serving.app import create
from services.serving.capture import Capture
from services.serving.engine import Engine, Held
from services.serving.server import config
from services.serving.state import State
from tests.services.serving.conftest import Made, loaded_state


@dataclass(frozen=True)
class Told:
    """An answer, its headers' names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def lasting(self) -> tuple[int, dict[str, str], bytes]:
        """What the same request gets again."""
        return self.status, {name: value for name, value in self.headers.items() if name != "date"}, self.body


class Up:
    """One that is ready.

    Attributes:
        taken: how many requests the hot path took.
    """

    def __init__(
        self,
        made: Made,
        *,
        hot: bool = True,
        keep_alive: int = 75,
        write: Callable[[str, bytes], object] | None = None,
        **changes: Any,
    ) -> None:
        made = dataclasses.replace(made, settings=dataclasses.replace(made.settings, **changes))
        self.state: State = loaded_state(made)
        self.capture = None
        if write is not None:
            rng = random.Random(0)  # noqa: S311  (a sample, no secret)
            self.capture = Capture(made.settings, self.state.metrics, write=write, rng=rng)
        self.engine = Engine(self.state, self.capture)
        self.taken = 0
        take = self.engine.take

        def counted(held: Held, request_id: bytes | None) -> bool:
            took = take(held, request_id)
            self.taken += took
            return took

        self.engine.take = counted  # type: ignore[method-assign]

        @contextlib.asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            assert self.state.served is not None
            self.engine.open(self.state.served, asyncio.get_running_loop())
            yield

        configured = config(self.state, create(self.state, lifespan=lifespan, capture=self.capture), self.engine)
        configured.timeout_keep_alive = keep_alive
        if not hot:
            configured.http = "httptools"
        self.server = uvicorn.Server(configured)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        while not self.server.started:
            time.sleep(0.005)
        self.port: int = self.server.servers[0].sockets[0].getsockname()[1]

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self.server.config.get_loop_factory()) as runner:
            runner.run(self.server.serve())

    def end(self) -> None:
        self.server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def connect(self) -> "Caller":
        return Caller(socket.create_connection(("127.0.0.1", self.port), timeout=20))

    def ask(self, *pieces: bytes, n: int = 1) -> list[Told]:
        """Answers to what one connection sends, at most `n`; fewer where it was closed before."""
        with self.connect() as caller:
            caller.send(*pieces)
            return caller.answers(n)

    def count(self, outcome: str) -> float:
        """Requests that ended so."""
        labels = {"model": "house", "model_version": "7", "outcome": outcome}
        return self.state.metrics.registry.get_sample_value("mainline_requests_total", labels) or 0

    def settled(self) -> None:
        """Waits until nothing is in flight."""
        until = time.monotonic() + 10
        while self.state.in_flight and time.monotonic() < until:
            time.sleep(0.01)
        assert (self.state.in_flight, self.state.rows.left) == (0, self.state.settings.queue_rows)


class Caller(contextlib.AbstractContextManager["Caller"]):
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, *pieces: bytes, pause: float = 0.003) -> None:
        """Sends each piece by itself."""
        for index, piece in enumerate(pieces):
            if index:
                time.sleep(pause)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.socket.sendall(piece)

    def answers(self, n: int, *, head: bool = False) -> list[Told]:
        """The next `n` answers, interim ones among them; fewer where the connection ends before."""
        return list(self._answers(n, head=head))

    def rest(self) -> bytes:
        """Everything until the connection ends."""
        while self._more():
            pass
        return self._read

    def _answers(self, n: int, *, head: bool) -> Iterator[Told]:
        for _ in range(n):
            while b"\r\n\r\n" not in self._read:
                if not self._more():
                    return
            top, _, self._read = self._read.partition(b"\r\n\r\n")
            first, *lines = top.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            assert len(headers) == len(lines), top
            length = 0 if head else int(headers.get("content-length", 0))
            while len(self._read) < length:
                assert self._more(), "an answer was cut short"
            body, self._read = self._read[:length], self._read[length:]
            yield Told(int(first.split(" ")[1]), headers, body)

    def _more(self) -> bool:
        with contextlib.suppress(ConnectionResetError):
            data = self.socket.recv(1 << 20)
            self._read += data
            return bool(data)
        return False


def request(
    body: bytes | None = None,
    *headers: bytes,
    line: bytes = b"POST /predict HTTP/1.1",
    kind: bytes | None = b"application/json",
    length: int | None = None,
) -> bytes:
    """The bytes of a request."""
    lines = [line, b"Host: here", *headers]
    if kind is not None:
        lines.append(b"Content-Type: " + kind)
    if body is not None:
        lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return b"\r\n".join([*lines, b"", body or b""])


def numbered(bodies: Iterable[bytes]) -> bytes:
    """Requests of these bodies one behind another, each with its number as its id."""
    return b"".join(request(body, b"X-Request-Id: n%d" % number) for number, body in enumerate(bodies))
