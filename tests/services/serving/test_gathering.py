"""Large bodies are answered as uvicorn alone would have them answered, however they are cut, late or broken off."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from services.serving.gathering import MOST_GATHERED_BYTES, PATIENCE_SECONDS, GatheringProtocol
from tests.services.serving.conftest import ROW, Made, make_bundle
from tests.services.serving.up import Up, request

ROWS = json.dumps({"instances": [ROW | {"age": age / 10} for age in range(1000)]}).encode()
BODY = ROWS + b" " * (300_000 - len(ROWS))
ID = b"X-Request-Id: mine"
ASKED = request(BODY, ID)
HEAD = len(ASKED) - len(BODY)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A model that takes large bodies."""
    return make_bundle(tmp_path_factory.mktemp("bundle"), max_rows=1000, max_body_bytes=400_000)


@pytest.fixture(scope="module")
def up(large: Made) -> Iterator[Up]:
    made = Up(large)
    yield made
    made.end()


@pytest.fixture(scope="module")
def plain(large: Made) -> Iterator[Up]:
    """Uvicorn alone."""
    made = Up(large, hot=False)
    yield made
    made.end()


@pytest.fixture
def fresh(large: Made, request: pytest.FixtureRequest) -> Iterator[Up]:
    """One of the test's own, with the settings of its parameter."""
    made = Up(large, **getattr(request, "param", {}))
    yield made
    made.end()


def _cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    return [stream[start:end] for start, end in pairwise([0, *accumulate(sizes), len(stream)])]


@pytest.mark.parametrize("n_first", [200, 70_000])
@pytest.mark.parametrize("path", [b"/nowhere", b"/v2/models/another/infer"])
def test_body_that_was_refused_unread_is_in_no_other(up: Up, path: bytes, n_first: int) -> None:
    refused = request(b"[" * 300_000, line=b"POST %b HTTP/1.1" % path)
    with up.connect() as caller:
        caller.send(refused[:n_first])
        assert caller.answers(1)[0].status == 404
        caller.send(refused[n_first:] + request(json.dumps(ROW | {"age": 130}).encode(), ID) + ASKED)
        assert [told.status for told in caller.answers(2)] == [200, 200]


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the pieces in which the application gets bodies."""
    from uvicorn.protocols.http import httptools_impl

    sizes: list[int] = []
    receive = httptools_impl.RequestResponseCycle.receive

    async def noted(cycle: httptools_impl.RequestResponseCycle) -> Any:
        message: Any = await receive(cycle)
        sizes.append(len(message.get("body", b"")))
        return message

    monkeypatch.setattr(httptools_impl.RequestResponseCycle, "receive", noted)
    return sizes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 90_000), max_size=6), n=st.integers(1, 3))
def test_large_bodies_cut_anywhere_get_what_uvicorn_alone_answers(up: Up, plain: Up, sizes: list[int], n: int) -> None:
    expected = plain.ask(ASKED)[0].lasting
    assert expected[0] == 200
    assert [told.lasting for told in up.ask(*_cut(ASKED * n, sizes), n=n)] == [expected] * n


def test_application_gets_a_large_body_at_once(up: Up, received: list[int]) -> None:
    assert up.ask(*_cut(ASKED, [HEAD + 10, 100_000, 100_000]))[0].status == 200
    assert received == [len(BODY)]


def test_chunked_body_comes_as_it_did(up: Up, received: list[int]) -> None:
    chunked = request(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), b"Transfer-Encoding: chunked")
    chunked = chunked.replace(b"Content-Length", b"X-Length")
    assert up.ask(*_cut(chunked, [100_000, 100_000]))[0].status == 200
    assert len(received) > 1


def test_large_body_that_comes_late_is_uvicorns(up: Up, received: list[int]) -> None:
    with up.connect() as caller:
        caller.send(*_cut(ASKED, [HEAD + 70_000, 10]), pause=2 * PATIENCE_SECONDS)
        assert caller.answers(1)[0].status == 200
        assert received[0] == 70_000
        assert sum(received) == len(BODY)
        caller.send(ASKED)
        assert caller.answers(1)[0].status == 200


def test_large_body_that_stops_coming_is_uvicorns_with_what_came_past_the_parser(up: Up, received: list[int]) -> None:
    with up.connect() as caller:
        caller.send(ASKED[: HEAD + 10], ASKED[HEAD + 10 : HEAD + 70_000], pause=PATIENCE_SECONDS / 5)
        time.sleep(2 * PATIENCE_SECONDS)
        assert received == [70_000]
        caller.send(ASKED[HEAD + 70_000 :] + ASKED)
        assert [told.status for told in caller.answers(2)] == [200, 200]


def test_what_follows_a_large_body_that_closes_its_connection_is_passed_over(up: Up) -> None:
    last = request(BODY, ID, b"Connection: close")
    with up.connect() as caller:
        caller.send(*_cut(last + ASKED, [HEAD + 10, 70_000]), pause=0.02)
        assert caller.answers(1)[0].status == 200
        assert caller.rest() == b""


@pytest.mark.parametrize("fresh", [{"body_seconds": 0.3}], indirect=True)
@pytest.mark.parametrize("n_bytes", [0, 70_000])
def test_large_body_that_never_ends_is_refused_with_what_came(fresh: Up, n_bytes: int) -> None:
    with fresh.connect() as caller:
        caller.send(ASKED[: HEAD + n_bytes])
        begun = time.monotonic()
        (told,) = caller.answers(1)
        assert caller.rest() == b""
    assert (told.status, told.headers["connection"]) == (408, "close")
    assert json.loads(told.body)["errors"][0]["value"] == f"{n_bytes} bytes received"
    assert 0.2 < time.monotonic() - begun < 5
    fresh.settled()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (request(BODY, kind=b"text/plain"), 415),
        (request(BODY, line=b"GET /predict HTTP/1.1"), 405),
        (request(b" " * (MOST_GATHERED_BYTES - 1)), 413),
        (request(b" " * (MOST_GATHERED_BYTES + 1)), 413),
    ],
    ids=["type", "method", "size", "size beyond what is gathered"],
)
def test_large_body_that_is_refused_unread_is_passed_over(up: Up, asked: bytes, status: int) -> None:
    with up.connect() as caller:
        caller.send(asked[:70_000], asked[70_000:], pause=0.02)
        assert caller.answers(1)[0].status == status
        caller.send(ASKED)
        assert caller.answers(1)[0].status == 200


class _Told(asyncio.Transport):
    """What a connection writes, of which the whole of a segment is read at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_head_that_is_refused_in_a_large_segment_is_refused_once() -> None:
    async def refused() -> _Told:
        config = uvicorn.Config("none:none", log_config=None)
        config.load_app = lambda: None  # type: ignore[method-assign]
        config.load()
        protocol, told = GatheringProtocol(config=config, server_state=ServerState(), app_state={}), _Told()
        protocol.connection_made(told)
        protocol.data_received(b"NONSENSE / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 70_000)
        return told

    told = asyncio.run(refused())
    assert (len(told.written), told.closed) == (1, True)


def test_caller_of_a_large_body_that_expects_is_told_to_continue(up: Up) -> None:
    asked = request(BODY, b"Expect: 100-continue")
    with up.connect() as caller:
        caller.send(asked[: -len(BODY)])
        assert caller.answers(1)[0].status == 100
        caller.send(BODY)
        assert caller.answers(1)[0].status == 200


def test_callers_that_break_off_in_a_large_body_leave_nothing_behind(up: Up) -> None:
    for at in (HEAD, HEAD + 1, HEAD + 70_000, HEAD + 200_000, len(ASKED) - 1, len(ASKED)):
        caller = up.connect()
        caller.send(ASKED[:at])
        time.sleep(0.02)
        caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.socket.close()  # resets the connection
    assert up.ask(ASKED)[0].status == 200
    up.settled()
