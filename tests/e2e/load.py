"""The callers of a model, in a pod: `python load.py URL ROWS RATE`, with the standard library alone.

Sends a row at a fixed rate whether or not the former ones were answered, every other one over a new connection, and
never sends one again. What became of each is counted by the second in which it was due. Port 8000 tells:
`/counts?since=SECOND` (since the beginning) the counts; `/rate?value=N` changes the rate, 0 pauses.
"""

import asyncio
import errno
import gzip
import itertools
import json
import socket
import sys
import time
import urllib.parse
from collections import Counter

PORT = 8000
# A caller that waited this long has given up.
PATIENCE_SECONDS = 5.0
# Kept-alive connections, as of so many callers who take turns, and how old one grows, as in the pools of clients: with
# few, or for ever, half of the requests would meet one or two pods.
KEPT = 16
KEPT_SECONDS = 5.0
# Each new connection's own, by turns. The system's choice comes again within two minutes, which is as long as a node's
# proxy sends a port where its last connection went, should nobody have answered that: a pod lost with its node.
PORTS = range(10_000, 65_536)
# With when it was opened.
Kept = tuple[asyncio.StreamReader, asyncio.StreamWriter, float]


class Load:
    """The requests and what became of them."""

    def __init__(self, url: str, bodies: list[bytes], rate: float) -> None:
        where = urllib.parse.urlsplit(url)
        self.host, self.port, self.path = where.hostname or "", where.port or 80, where.path
        self.bodies, self.rate = bodies, rate
        self.begun = time.monotonic()
        # by second: `sent`, `slow` (over a second), `answered VERSION DIGEST`, `failed WHY`
        self.counts: dict[int, Counter[str]] = {}
        # one a caller; none where its connection is in use, or not yet opened
        self._kept: dict[int, Kept] = {}
        self._ports = itertools.cycle(PORTS)
        self._address = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Sends for ever. The name is resolved once: a Service keeps its address."""
        while not self._address:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
                self._address = str(found[0][4][0])
            except OSError:
                await asyncio.sleep(0.2)
        due = time.monotonic()
        for number, body in enumerate(itertools.cycle(self.bodies)):
            while self.rate <= 0:
                await asyncio.sleep(0.05)
                due = time.monotonic()
            due += 1 / self.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._one(body, None if number % 2 == 0 else number // 2 % KEPT))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def ended(self) -> None:
        """Returns when nothing is in flight, the kept connections closed."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        for _, writer, _ in self._kept.values():
            writer.close()

    async def _one(self, body: bytes, caller: int | None) -> None:
        """One request, by a caller who keeps a connection or, None, over a new one."""
        at = time.monotonic()
        second = self.counts.setdefault(int(at - self.begun), Counter())
        second["sent"] += 1
        try:
            ended = await asyncio.wait_for(self._exchange(body, caller), PATIENCE_SECONDS)
        except TimeoutError:
            ended = "failed timeout"
        except (OSError, asyncio.IncompleteReadError, ValueError) as err:
            ended = f"failed {type(err).__name__}"
        second[ended] += 1
        if time.monotonic() - at > 1:
            second["slow"] += 1

    async def _exchange(self, body: bytes, caller: int | None) -> str:
        """One request and its answer, in the words of `counts`."""
        reader, writer, opened = await self._connection(caller)
        keep = False
        try:
            head = f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            head += f"Content-Length: {len(body)}\r\n" + ("Connection: close\r\n" if caller is None else "") + "\r\n"
            writer.write(head.encode() + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            answer = await reader.readexactly(int(headers.get("content-length", "0")))
            keep = headers.get("connection", "").lower() != "close"
        finally:
            if caller is not None and keep and caller not in self._kept:
                self._kept[caller] = (reader, writer, opened)
            else:
                writer.close()
        if status != 200:
            return f"failed {status}"
        told = json.loads(answer)
        return f"answered {told['version']} {told['digest']}"

    async def _connection(self, caller: int | None) -> Kept:
        if caller is not None and caller in self._kept:
            reader, writer, opened = self._kept.pop(caller)
            young = time.monotonic() - opened < KEPT_SECONDS
            if young and not reader.at_eof() and not writer.is_closing():
                return reader, writer, opened
            writer.close()  # old, or ended by its server while it was idle: nothing was sent, nothing is lost
        for port in itertools.islice(self._ports, len(PORTS)):
            mine = ("0.0.0.0", port)  # noqa: S104  (any address of its own)
            try:
                reader, writer = await asyncio.open_connection(self._address, self.port, local_addr=mine)
            except OSError as err:
                if err.errno != errno.EADDRINUSE:
                    raise
                continue  # another process has it, or had it a minute ago
            return reader, writer, time.monotonic()
        raise OSError(errno.EADDRINUSE, "every port is taken")

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one question of whoever watches."""
        target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        where = urllib.parse.urlsplit(target)
        asked = dict(urllib.parse.parse_qsl(where.query))
        if where.path.endswith("/rate"):
            self.rate = float(asked["value"])
        since = int(asked.get("since", "0")) if where.path.endswith("/counts") else sys.maxsize
        told = {
            "second": int(time.monotonic() - self.begun),
            "started": round(time.time() - (time.monotonic() - self.begun), 3),
            "rate": self.rate,
            "in_flight": len(self._tasks),
            "counts": {str(second): found for second, found in list(self.counts.items()) if second >= since},
        }
        body = json.dumps(told).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()


async def main() -> None:
    """Sends and answers until it is told to end."""
    url, rows, rate = sys.argv[1:]
    with gzip.open(rows) as file:
        bodies = [line.rstrip(b"\n") for line in file]
    load = Load(url, bodies, float(rate))
    server = await asyncio.start_server(load.control, "0.0.0.0", PORT)  # noqa: S104  (a pod is asked at its own address)
    async with server:
        await load.run()


if __name__ == "__main__":
    asyncio.run(main())
