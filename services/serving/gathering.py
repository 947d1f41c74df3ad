"""The body of a large request, told to the application in one piece. `hot` is built on it.

Uvicorn tells of a body while it comes. It stops reading after 64 KiB until the application has taken those, and puts
pieces together in a buffer that grows: a body of 0.5 MB costs eight turns of the event loop and is copied four times.
Here the pieces of a body of known length wait for the last one, past the parser, which would copy each to say that it
is a piece, and are joined once.

What comes slowly is uvicorn's, as it came until then: so its limits of time and of size hold as they are.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from services.serving.no_upgrade import NoUpgradeProtocol

# What a connection may hold that the application has not asked for; it refuses what is too large for its model.
MOST_GATHERED_BYTES = 4 * 2**20
# A body that did not come by then is slowly on its way, or its caller waits for something.
PATIENCE_SECONDS = 0.1


class GatheringProtocol(NoUpgradeProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """As uvicorn's."""
        super().__init__(*arguments, **named)
        self._pieces: list[Any] | None = None  # of the body that is coming, where they wait
        self._missing = 0  # bytes of it
        self._n_past = 0  # bytes of it that the parser has not seen
        self._deaf = False  # to the parser, while it catches up
        self._gathering: asyncio.TimerHandle | None = None

    @property
    def behind(self) -> bool:
        """Whether an earlier request of this connection is still with uvicorn."""
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        rest: Any = data
        if self._pieces is None and len(data) > HIGH_WATER_LIMIT:  # perhaps a head with much of its body
            end = data.find(b"\r\n\r\n") + 4
            super().data_received(data[:end])
            if self.transport.is_closing():  # the head was refused
                return
            rest = memoryview(data)[end:]
        if self._pieces is None:
            super().data_received(rest)
        else:
            self._past_parser(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_gathering()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        waits = self.behind  # then uvicorn has stopped reading
        super().on_headers_complete()
        n_bytes = _length(self.headers)
        if not waits and HIGH_WATER_LIMIT < n_bytes <= MOST_GATHERED_BYTES:
            self._pieces, self._missing, self._n_past = [], n_bytes, 0
            self._gathering = self.loop.call_later(PATIENCE_SECONDS, self._give_up_gathering)

    def on_body(self, body: bytes) -> None:
        if self._pieces is None:
            if not self._deaf:
                super().on_body(body)
            return
        self._missing -= len(body)
        if not self.cycle.response_complete:  # else it was refused unread
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._pieces is not None:
            body: Any = b"".join(self._stop_gathering())  # uvicorn's is a bytearray, which it would copy
            if not self.cycle.response_complete:  # else what came of it belongs to nobody, least to the next request
                self.cycle.body = body
        super().on_message_complete()

    def _past_parser(self, data: Any) -> None:
        """Takes a piece of the body, and whatever is behind it."""
        n_more = len(data) - self._missing
        self._n_past += min(len(data), self._missing)
        self.on_body(data[: self._missing] if n_more > 0 else data)
        if n_more >= 0:
            self.renew_parser()  # the former one still waits for the body
            self.on_message_complete()
        if n_more > 0:
            super().data_received(data[-n_more:])

    def _give_up_gathering(self) -> None:
        """The rest is uvicorn's to wait for."""
        came = b"".join(self._stop_gathering())
        self._deaf = True
        self.parser.feed_data(bytes(self._n_past))  # it only counts them
        self._deaf = False
        if came:
            super().on_body(came)

    def _stop_gathering(self) -> list[Any]:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        pieces, self._pieces = self._pieces or [], None
        return pieces


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    """What is announced, 0 where nothing is; the parser refuses a length that is no number, and two."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)
