"""The HTTP of the hot path: uvicorn's own protocol, which answers one plain row to /predict without a task.

Why: a task, an ASGI scope, the framework's middleware, routing, request and response cost a request ten times what its
row costs. A processor's time per request, for a forest of 100 trees at 32 connections with metrics and the capture log
on: by the framework 490 us, here 36 to 42 us, by an application on the same uvicorn that only answers 34 to 42 us (wrk,
one busy machine). Of what remains, the kernel's write is 19 % and the graph 13 %.

So a request that is plainly hot is read by the same parser, handed to `engine`, and answered with one write. Everything
else is uvicorn's affair, unchanged but for `gathering`: another route, method or version, a query, a body that is
chunked, large or comes late, Expect, Upgrade, Connection: close, a caller that does not read its answers, a request
behind one that is still being answered. And whatever `engine` gives back is told to uvicorn as if it came now, with the
same headers and bytes.

A request on its way: `on_headers_complete` decides whether it may be hot, and holds it; `on_message_complete` gives it
to the engine, or hands it over. Answers leave in the order of the requests: those that wait with the engine are all
answered before uvicorn hears of another request (`_settle`).

Beyond uvicorn: a limit to the size of a request's head and to the time it may take, and to lines around a body's
pieces; trailers and offers of another protocol (`no_upgrade`) are passed over; whoever leaves is told to all requests
that are on their way; and an end to connections that never send anything.
"""

import asyncio
from typing import Any

from services.problems import Fault, Kind, Problem
from services.serving.engine import Engine, Held
from services.serving.gathering import PATIENCE_SECONDS, GatheringProtocol

# What proxies and servers allow by habit is between 8 and 64 KiB, and 100 lines.
MOST_HEAD_BYTES = 32_768
MOST_HEADERS = 100

_HEADERS = list[tuple[bytes, bytes]]
# Whoever sends one of these wants something that is not plain.
_ODD = frozenset({b"expect", b"transfer-encoding", b"content-encoding", b"upgrade", b"trailer"})


class HeadTooLarge(Exception):  # noqa: N818  (what happened)
    """A request's head is beyond the limits. The parser stops at it."""


class HotProtocol(GatheringProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, engine: Engine, head_seconds: float, **named: Any) -> None:
        """As uvicorn's.

        Args:
            engine: answers hot requests.
            head_seconds: longest time from a head's first byte to its last.
        """
        super().__init__(*arguments, **named)
        self._engine = engine
        self._head_seconds = head_seconds
        self._waiting: list[Held] = []  # with the engine
        self._in_head = self._in_body = False
        self._head_bytes = 0  # of whole lines
        self._segment_bytes = 0  # of whole segments that told of nothing
        self._told = False  # of anything, by the latest segment
        self._running: Any = None  # uvicorn's cycle whose task is at work
        self._held: _HEADERS | None = None  # of a hot request whose body is not complete
        self._body = b""
        self._request_id: bytes | None = None
        self._patience: asyncio.TimerHandle | None = None  # for a head, or for a held body
        self._heard = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._problem: Problem | None = None

    # From the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._idle = self.loop.call_later(self.timeout_keep_alive, self._look)

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        begun = self.headers if self._in_head else None
        self._told = False
        super().data_received(data)
        if self._in_head or self._held is not None:
            self._wait_for_more(len(data) if self.headers is begun else 0)
        elif self._in_body:
            self._bound(0 if self._told else len(data))

    def eof_received(self) -> None:
        # Half-closed: what the engine has is answered. What a thread computes is not: the caller has mostly gone.
        self._settle()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        for held in self._waiting:
            self._engine.leave(held)
        self._waiting.clear()
        self._held = None
        self._stop_waiting()
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        for cycle in (self._running, *(waiting for waiting, _ in self.pipeline)):  # uvicorn tells the newest alone
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: what was begun is answered, then the connection closes."""
        self._give_up_holding()
        self._settle()
        super().shutdown()

    # From the parser.

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = self._segment_bytes = 0
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._told = True
        if self._in_head:  # else behind a chunked body: read, and passed over
            super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._segment_bytes = 0
        if self._patience is not None:
            self._stop_waiting()
        if self._may_be_hot():
            self._held, self._body = self.headers, b""
        elif not self.passes_over():
            self._settle()
            self._begin_scope()
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._told = True
        if self._held is None:
            super().on_body(body)
        else:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        self._in_body = False
        if self._held is None:
            if self.offered is None:
                super().on_message_complete()
            return
        held = Held(self, self._held, self._body)
        self._held = None
        if self._patience is not None:
            self._stop_waiting()
        if self._engine.take(held, self._request_id):
            self._waiting.append(held)
        else:
            self._settle()
            self.hand_over(held)

    # For the engine.

    def answer(self, request_id: bytes, prediction: bytes) -> None:
        """Sends an answer."""
        del self._waiting[0]
        self.server_state.total_requests += 1
        self.transport.write(self._engine.answer(self.server_state.default_headers, request_id, prediction))

    def hand_over(self, held: Held, *, late: bool = False) -> None:
        """Tells uvicorn of a request as if it came now; `late` ones have missed their deadline."""
        if self._waiting and self._waiting[0] is held:
            del self._waiting[0]
        self._tell(held.headers, held.body, late=late, complete=True)

    # Below.

    def _may_be_hot(self) -> bool:
        if self.url != b"/predict" or self.flow.write_paused or self.behind:
            return False
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return False
        length = -1
        media = self._request_id = None
        for name, value in self.headers:
            if name == b"content-type":
                if media is not None:
                    return False
                media = value
            elif name == b"content-length":
                length = int(value) if value.isdigit() and len(value) < 10 else -1
            elif name == b"x-request-id":
                if self._request_id is not None:
                    return False
                self._request_id = value
            elif name in _ODD:
                return False
        return media == b"application/json" and length > 0 and self._engine.accepts(length)

    def _settle(self) -> None:
        """Has the answers that this connection waits for written."""
        if self._waiting:
            self._engine.flush()

    def _begin_scope(self) -> None:
        """What uvicorn prepares at a message's first byte, with what was read since."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers[:] = headers

    def _tell(self, headers: _HEADERS, body: bytes, *, late: bool, complete: bool) -> None:
        """Has uvicorn hear of a held request, whatever the parser is at meanwhile."""
        now = (self.parser, self.url, self.headers, self.scope, self.expect_100_continue)
        self.parser, self.url, self.headers, self.expect_100_continue = _TOLD, b"/predict", headers, False
        self._begin_scope()
        if late:
            self.scope["state"]["late"] = True
        super().on_headers_complete()
        super().on_body(body)
        if complete:
            super().on_message_complete()
        self.parser, self.url, self.headers, self.scope, self.expect_100_continue = now

    def _give_up_holding(self) -> None:
        """The rest of a body is uvicorn's to wait for."""
        self._patience = None
        if self._held is not None:
            headers, self._held = self._held, None
            self._settle()
            self._tell(headers, self._body, late=False, complete=False)

    def _count(self, n_bytes: int) -> None:
        self._head_bytes += n_bytes
        if self._head_bytes > MOST_HEAD_BYTES or len(self.headers) > MOST_HEADERS:
            self._problem = _refusal(
                431,
                "headers",
                f"at most {MOST_HEADERS} headers and {MOST_HEAD_BYTES} bytes",
                "send fewer, or shorter ones",
            )
            raise HeadTooLarge

    def _wait_for_more(self, n_bytes: int) -> None:
        """Part of a head or of a held body is there: the rest has its time.

        Args:
            n_bytes: that were received and lie in the middle of a head.
        """
        if self._in_head and n_bytes and not self._bound(n_bytes):
            return
        if self._patience is None:
            seconds = self._head_seconds if self._in_head else PATIENCE_SECONDS
            self._patience = self.loop.call_later(seconds, self._out_of_patience)

    def _bound(self, n_bytes: int) -> bool:
        """Refuses a line that never ends, of a head or around a body's pieces: the parser keeps what it has of one.

        Args:
            n_bytes: of a segment of which the parser told nothing; 0 where it told something of a body.
        """
        self._segment_bytes = self._segment_bytes + n_bytes if n_bytes else 0
        if self._segment_bytes <= MOST_HEAD_BYTES:
            return True
        self._problem = _refusal(431, "headers", f"at most {MOST_HEAD_BYTES} bytes", "send fewer, or shorter ones")
        self.send_400_response("")
        return False

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _out_of_patience(self) -> None:
        self._patience = None
        if self._held is not None:
            self._give_up_holding()
        elif self._in_head and self.behind:  # not read meanwhile, perhaps: its time has not begun
            self._patience = self.loop.call_later(self._head_seconds, self._out_of_patience)
        elif self._in_head:
            self._problem = _refusal(408, "headers", f"at most {self._head_seconds:g} s", "send them without pauses")
            self.send_400_response("")

    def _look(self) -> None:
        """Closes a connection on which nothing was asked for long; uvicorn sees to those that it answered itself."""
        rest = self._heard + self.timeout_keep_alive - self.loop.time()
        if rest > 0:
            self._idle = self.loop.call_later(rest, self._look)
        elif self.behind or self._waiting or self._in_head or self._held is not None or self.timeout_keep_alive_task:
            self._idle = self.loop.call_later(self.timeout_keep_alive, self._look)
        else:
            self._idle = None
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuses what cannot be read, and closes; called by uvicorn where the parser gives up."""
        problem, self._problem = self._problem or _refusal(400, "request", "must be HTTP/1.1", "send it anew"), None
        self._settle()
        if self.behind and (self.pipeline or not self.cycle.more_body):
            self.cycle.keep_alive = False  # those before it are answered; the connection closes behind them
            return
        if not (self.behind and self.cycle.response_started):
            self.transport.write(self._engine.refusal(problem, self.server_state.default_headers))
        self.transport.close()


class _Told:
    """What uvicorn asks the parser about a request, answered for one that was held."""

    @staticmethod
    def get_method() -> bytes:
        return b"POST"

    @staticmethod
    def get_http_version() -> str:
        return "1.1"

    @staticmethod
    def should_keep_alive() -> bool:
        return True

    @staticmethod
    def should_upgrade() -> bool:
        return False


_TOLD: Any = _Told()


def _refusal(status: int, what: str, rule: str, remedy: str) -> Problem:
    fault = Fault(what, None, rule, remedy)
    return Problem(Kind.REQUEST_REFUSED, f"{what}: {rule}.", [fault], {"Connection": "close"}, status)
