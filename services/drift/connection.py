"""One HTTP connection with an end: each call has a total time and a largest answer, however slowly bytes come."""

import http.client
import io
import socket
import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

MAX_BYTES = 2**20


class Connection:
    """To one server, kept between calls, opened again after one that failed. For one thread."""

    def __init__(self, url: str, *, seconds: float) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        self._seconds = seconds

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body.

        Raises:
            OSError, http.client.HTTPException: there was none in the time, or it is too long.
        """
        until = time.monotonic() + self._seconds
        # what makes the answers is an attribute of the connection, and here of each call: it knows the end
        self._connection.response_class = partial(_Answer, until)  # type: ignore[assignment]
        try:
            if self._connection.sock is not None:
                self._connection.sock.settimeout(self._seconds)
            self._connection.request(method, path, body, dict(headers or {}))
            answer = self._connection.getresponse()
            told = answer.read(MAX_BYTES + 1)
            if len(told) > MAX_BYTES:
                raise http.client.HTTPException(f"answers with more than {MAX_BYTES} bytes")
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return answer.status, told

    def close(self) -> None:
        """Ends it; the next call opens it again."""
        self._connection.close()


class _Answer(http.client.HTTPResponse):
    """An answer that is read until a time, its head included."""

    def __init__(self, until: float, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_Timed(sock, until))


class _Timed(io.RawIOBase):
    """A socket's bytes; what is left of the time bounds each wait for them."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock, self._until = sock, until
        self._raw = sock.makefile("rb", buffering=0)  # counts as a user of the socket until it is closed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
