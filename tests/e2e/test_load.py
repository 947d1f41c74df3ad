"""The callers of the suite against servers that answer, fail, close and hang: each request is counted once."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from tests.e2e import load

ANSWER = json.dumps({"version": "7", "digest": "sha256:ab"}).encode()
Behaviour = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _answers(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))


async def _fails_every_other(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if number % 2:
        writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    else:
        await _answers(number, reader, writer)


async def _drains(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))
    writer.close()


async def _ends(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _hangs(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def _counted(behaviour: Behaviour, *, least: int = 20) -> tuple[Counter[str], int, int]:
    """What was counted of at least so many requests, how many arrived, and over how many connections."""
    arrived = 0
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        connections.append(writer)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
                arrived += 1
                await behaviour(arrived, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    callers = load.Load(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/predict", [b"{}"], 100.0)
    running = asyncio.create_task(callers.run())
    async with asyncio.timeout(30):
        while sum(found["sent"] for found in callers.counts.values()) < least:
            await asyncio.sleep(0.01)
    callers.rate = 0
    await callers.ended()
    running.cancel()
    server.close()
    for writer in connections:
        writer.close()
    await asyncio.sleep(0.05)
    total: Counter[str] = Counter()
    for found in callers.counts.values():
        total += found
    return total, arrived, len(connections)


@pytest.mark.parametrize(
    ("behaviour", "ended"),
    [
        pytest.param(_answers, {"answered 7 sha256:ab": 1.0}, id="answers"),
        pytest.param(_fails_every_other, {"answered 7 sha256:ab": 0.5, "failed 500": 0.5}, id="errors"),
        pytest.param(_drains, {"answered 7 sha256:ab": 1.0}, id="closes with each answer"),
        pytest.param(_ends, {"failed IncompleteReadError": 1.0}, id="ends without an answer"),
    ],
)
def test_counts_each_request_once_and_sends_none_again(behaviour: Behaviour, ended: dict[str, float]) -> None:
    total, arrived, connections = asyncio.run(_counted(behaviour))
    sent = total["sent"]
    assert sent == arrived == sum(total.values()) - sent
    for how, share in ended.items():
        assert total[how] == pytest.approx(share * sent, abs=1)
    if behaviour is _answers:  # every other one over a new connection, the others over a few
        assert sent // 2 <= connections <= sent / 2 + 1 + load.KEPT


def test_gives_up_on_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE_SECONDS", 0.2)
    total, _, _ = asyncio.run(_counted(_hangs, least=1))
    assert total["failed timeout"] == total["sent"] > 0


def test_every_new_connection_has_a_port_of_its_own_and_taken_ones_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports = asyncio.run(_ports_of_new_connections(monkeypatch))
    assert len(set(ports)) == 3
    assert ports == sorted(ports)
    assert set(ports) <= set(load.PORTS[1:])


async def _ports_of_new_connections(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of three, the first port of the callers' being another's."""
    ports: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ports.append(int(writer.get_extra_info("peername")[1]))
        await _answers(0, reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    taken = await asyncio.start_server(serve, "0.0.0.0", 0)  # noqa: S104  (as the callers bind theirs)
    first = int(taken.sockets[0].getsockname()[1])
    monkeypatch.setattr(load, "PORTS", range(first, first + 200))
    callers = load.Load(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/predict", [b"{}"], 100.0)
    callers._address = "127.0.0.1"
    for _ in range(3):
        _, writer, _ = await callers._connection(None)
        await asyncio.sleep(0.02)
        writer.close()
    server.close()
    taken.close()
    return ports
