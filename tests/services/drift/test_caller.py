"""A server that answers as slowly, as much and as oddly as it likes: the judge waits so long and no longer."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from services.drift import caller as module
from services.drift.caller import Caller, NotReached, identity
from services.drift.connection import MAX_BYTES

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
KNOWN = {"model": "iris", "version": "8", "digest": "sha256:" + "a" * 64, "uri": "s3://models/8", "hash": "7c9d4f8b6"}


@contextmanager
def _server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Answers every connection in a thread of its own, after its request's first bytes."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        threads: list[threading.Thread] = []

        def hear(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.recv(65_536)
                    answer(connection)
                except OSError:
                    pass

        def accept() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                threads.append(threading.Thread(target=hear, args=(connection,)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            ended.set()
            accepting.join()
            for thread in threads:
                thread.join()


def _trickle(data: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        for number in range(len(data)):
            connection.sendall(data[number : number + 1])
            time.sleep(0.02)

    return answer


def _whole(body: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(HEAD % len(body) + body)


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: (connection.sendall(HEAD % 100_000), _trickle(b"x" * 300)(connection)),
        _trickle(b"HTTP/1.1 200 OK\r\n" + b"X-Odd: 1\r\n" * 50),
        _trickle(b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
        lambda connection: (
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            _trickle(b"1\r\nx\r\n" * 50)(connection),
        ),
    ],
    ids=["body", "head", "continue", "chunks"],
)
def test_server_that_trickles_is_left_in_time(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[socket.socket], None]
) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.3)
    with _server(answer) as url:
        begun = time.monotonic()
        with pytest.raises(NotReached):
            identity(url)
        assert _asked(url) == 0
        assert time.monotonic() - begun < 1


def _asked(url: str) -> int:
    with Caller(url) as caller:
        return caller.ask({}, until=0).status


def test_answer_of_any_length_is_not_read() -> None:
    with _server(_whole(b" " * (MAX_BYTES + 1))) as url:
        assert _asked(url) == 0
        with pytest.raises(NotReached, match="HTTPException"):
            identity(url)


def test_server_says_who_it_is() -> None:
    with _server(_whole(json.dumps(KNOWN | {"more": [1]}).encode())) as url:
        assert identity(url) == module.Identity(**KNOWN)


@pytest.mark.parametrize(
    "document",
    [
        b"secret",
        b'"secret"',
        b"[" * 100_000,
        *[json.dumps(KNOWN | {name: "a secret\n"}).encode() for name in KNOWN],
        *[json.dumps({"secret": 1} | {key: value for key, value in KNOWN.items() if key != name}).encode()
          for name in KNOWN if name != "hash"],
    ],
)  # fmt: skip
def test_nothing_of_what_was_fetched_is_told_on(document: bytes) -> None:
    with _server(_whole(document)) as url, pytest.raises(NotReached) as caught:
        identity(url)
    assert "secret" not in str(caught.value)


def test_status_line_is_not_told_on() -> None:
    with (
        _server(lambda connection: connection.sendall(b"220 secret mail server\r\n")) as url,
        pytest.raises(NotReached) as caught,
    ):
        identity(url)
    assert "secret" not in str(caught.value)
