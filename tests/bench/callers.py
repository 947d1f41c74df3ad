"""Callers as a server meets them: most ask rightly, some wrongly, some leave in the middle. Raw sockets, no library.

Each caller is one visit: it connects, does its part, holds what comes back against what it must be, and leaves.
"""

import asyncio
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.bodies import Body, named
from tests.bench.estimators import BATCH_ROWS, Made
from tests.bench.labels import UnreadableError, ours

# Longer than any answer takes, the one to a body that never ends (10 s) among them.
VISIT_SECONDS = 20.0
_PAGES = ("/ready", "/healthz", "/metrics", "/metadata", "/openapi.json", "/docs")
_MOST_WRONG = 50


class UnexpectedError(Exception):
    """The server did what it must not."""


@dataclass
class Tally:
    """Visits by kind, answers by status, and the first of what went wrong."""

    visits: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def blame(self, kind: str, error: object) -> None:
        """Notes what went wrong in a visit."""
        line = f"{kind}: {error}"[:300]
        if line in self.wrong or len(self.wrong) < _MOST_WRONG:
            self.wrong[line] += 1


class Line:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally) -> None:
        self.reader, self.writer, self._tally = reader, writer, tally

    async def send(self, data: bytes) -> None:
        """Writes bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """The next answer: its status and body. Interim answers are passed over."""
        status = 100
        while status < 200:
            head = (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            status = int(head[0].split()[1])
        headers = dict(line.lower().split(b": ", 1) for line in head[1:] if b": " in line)
        body = await self.reader.readexactly(int(headers.get(b"content-length", b"0")))
        self._tally.answers[status] += 1
        return status, body


@dataclass(frozen=True)
class Visitor:
    """What a visit knows: the model's rows and their right answers, and chance."""

    made: Made
    chance: random.Random

    def rows(self, count: int) -> tuple[Body, int]:
        """A right request of so many rows, and where in the model's rows they begin."""
        at = self.chance.randrange(len(self.made.rows) - count)
        return named(self.made.rows[at : at + count], self.made.features), at

    def hold(self, answered: tuple[int, bytes], at: int, count: int) -> None:
        """Raises UnexpectedError where an answer is not what scikit-learn says."""
        status, body = answered
        if status != 200:
            raise UnexpectedError(f"{status} to a right request: {body[:150]!r}")
        try:
            found = ours(body, {}, self.made.bundle.manifest.classes)
        except (UnreadableError, ValueError, KeyError) as error:
            raise UnexpectedError(f"{error} in {body[:150]!r}") from error
        if found.tolist() != self.made.labels[at : at + count].tolist():
            raise UnexpectedError(f"another answer than scikit-learn's to {count} rows from {at} on")


Visit = Callable[[Line, Visitor], Awaitable[None]]


def request(
    body: bytes, *extra: str, path: str = "/predict", method: str = "POST", kind: str = "application/json"
) -> bytes:
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Type: {kind}", *extra]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in extra):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def keeps_asking(line: Line, visitor: Visitor) -> None:
    """Up to thirty right requests over one connection, mostly single rows."""
    for _ in range(visitor.chance.randint(1, 30)):
        count = visitor.chance.choice((1, 1, 1, 1, 2, 7, 32, 200))
        body, at = visitor.rows(count)
        await line.send(request(body.content))
        visitor.hold(await line.answer(), at, count)


async def pipelines(line: Line, visitor: Visitor) -> None:
    """Several requests before the first answer, answered in their order."""
    asked = [(*visitor.rows(count), count) for count in (1, 40, 1, 2)]
    await line.send(b"".join(request(body.content) for body, _, _ in asked))
    for _, at, count in asked:
        visitor.hold(await line.answer(), at, count)


async def chunks(line: Line, visitor: Visitor) -> None:
    """A body of announced pieces, with a pause between."""
    body, at = visitor.rows(1)
    await line.send(request(b"", "Transfer-Encoding: chunked"))
    for piece in (body.content[:5], body.content[5:]):
        await line.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await asyncio.sleep(visitor.chance.choice((0, 0.05)))
    await line.send(b"0\r\n\r\n")
    visitor.hold(await line.answer(), at, 1)


async def waits_to_continue(line: Line, visitor: Visitor) -> None:
    """Sends the body once the server says that it wants it, or after a moment."""
    body, at = visitor.rows(1)
    await line.send(request(b"", "Expect: 100-continue", f"Content-Length: {len(body.content)}"))
    await asyncio.sleep(0.05)
    await line.send(body.content)
    visitor.hold(await line.answer(), at, 1)


async def offers_another_protocol(line: Line, visitor: Visitor) -> None:
    """As Java's client does in its first request."""
    body, at = visitor.rows(1)
    await line.send(request(body.content, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"))
    visitor.hold(await line.answer(), at, 1)


async def goes_on_after_a_refusal(line: Line, visitor: Visitor) -> None:
    """A large body to nowhere, answered before it ends; then a right request over the same connection."""
    refused = request(b"[" * 200_000, path="/nowhere")
    cut = visitor.chance.choice((300, 70_000))
    await line.send(refused[:cut])
    if (status := (await line.answer())[0]) != 404:
        raise UnexpectedError(f"{status} from nowhere")
    body, at = visitor.rows(40)
    await line.send(refused[cut:] + request(body.content))
    visitor.hold(await line.answer(), at, 40)


async def reads(line: Line, visitor: Visitor) -> None:
    """A page or two."""
    for path in visitor.chance.sample(_PAGES, 2):
        await line.send(request(b"", path=path, method="GET"))
        status, body = await line.answer()
        if status != 200:
            raise UnexpectedError(f"{status} from {path}: {body[:150]!r}")


async def asks_wrongly(line: Line, visitor: Visitor) -> None:
    """Something that must be refused, and nothing worse."""
    what = visitor.chance.choice(sorted(WRONG))
    await line.send(WRONG[what](visitor))
    status, body = await line.answer()
    if not 400 <= status < 500:
        raise UnexpectedError(f"{status} to {what}: {body[:150]!r}")


async def says_no_more(line: Line, visitor: Visitor) -> None:
    """Closes its half once the request is sent; an answer, where one comes, must be right."""
    body, at = visitor.rows(1)
    await line.send(request(body.content))
    line.writer.write_eof()
    try:
        answered = await line.answer()
    except asyncio.IncompleteReadError:
        return
    visitor.hold(answered, at, 1)


async def leaves_in_the_head(line: Line, visitor: Visitor) -> None:
    """Gone before the request's headers end."""
    await line.send(request(visitor.rows(1)[0].content)[: visitor.chance.randint(1, 40)])


async def leaves_in_the_body(line: Line, visitor: Visitor) -> None:
    """Gone before the body ends."""
    await line.send(request(visitor.rows(3)[0].content)[:-5])


async def leaves_before_the_answer(line: Line, visitor: Visitor) -> None:
    """Gone with a reset while the answer is made."""
    await line.send(request(visitor.rows(visitor.chance.choice((1, 200)))[0].content))
    await asyncio.sleep(visitor.chance.choice((0, 0.001)))
    _reset(line)


async def leaves_what_it_pipelined(line: Line, visitor: Visitor) -> None:
    """Gone with a reset while the first of several answers is made."""
    await line.send(b"".join(request(visitor.rows(count)[0].content) for count in (200, 1, 200)))
    _reset(line)


async def never_ends_its_body(line: Line, visitor: Visitor) -> None:
    """Stays, silent, until it is refused for that."""
    await line.send(request(visitor.rows(1)[0].content)[:-1])
    status, _ = await line.answer()
    if status != 408:
        raise UnexpectedError(f"{status} to a body that never ends, not 408")


def _reset(line: Line) -> None:
    line.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.writer.transport.abort()


def _renamed(visitor: Visitor, change: Callable[[dict[str, object]], object]) -> bytes:
    row = json.loads(visitor.rows(1)[0].content)
    change(row)
    return request(json.dumps(row).encode())


def _nested(visitor: Visitor, depth: int) -> bytes:
    first = visitor.made.features[0].encode()
    return request(b'{"%b":%b%b}' % (first, b"[" * depth, b"]" * depth))


WRONG: Mapping[str, Callable[[Visitor], bytes]] = {
    "a cut document": lambda v: request(v.rows(1)[0].content[:-3]),
    "no body": lambda v: request(b""),
    "NaN": lambda v: request(v.rows(1)[0].content.replace(b":", b":NaN,", 1)[:40]),
    "no UTF-8": lambda v: request(b'{"\xff\xfe": 1}'),
    "deep nesting": lambda v: request(b"[" * 5000),
    "a value as deep as can be read": lambda v: _nested(v, v.chance.randint(900, 1_000)),
    "a trailer without an end": lambda v: request(b"0\r\nX: " + b"x" * 90_000, "Transfer-Encoding: chunked"),
    "a number": lambda v: request(b"7"),
    "an unknown feature": lambda v: _renamed(v, lambda row: row.update(surplus=1)),
    "a missing feature": lambda v: _renamed(v, lambda row: row.pop(v.made.features[0])),
    "a text for a number": lambda v: _renamed(v, lambda row: row.update({v.made.features[1]: "x" * 500})),
    "another content type": lambda v: request(v.rows(1)[0].content, kind="text/csv"),
    "too many rows": lambda v: request(json.dumps({"features": [[1, 1, 1, 1]] * (BATCH_ROWS + 1)}).encode()),
    "too large a body": lambda v: request(b"{}", "Content-Length: 1000000000"),
    "an unknown path": lambda v: request(b"", path="/nothing/../here", method="GET"),
    "another method": lambda v: request(b"", method="PUT"),
    "a malformed request": lambda v: b"NONSENSE / \x00\x01\r\n\r\n",
    "an odd request id": lambda v: request(b"{", "X-Request-Id: " + "\u00e9" * 300),
}

# How often each comes, relative to the others.
VISITS: Sequence[tuple[Visit, int]] = (
    (keeps_asking, 40), (pipelines, 8), (chunks, 8), (waits_to_continue, 3), (reads, 4), (asks_wrongly, 20),
    (says_no_more, 4), (leaves_in_the_head, 4), (leaves_in_the_body, 4), (leaves_before_the_answer, 8),
    (offers_another_protocol, 3), (goes_on_after_a_refusal, 3), (leaves_what_it_pipelined, 4),
)  # fmt: skip


async def visit(port: int, kind: Visit, visitor: Visitor, tally: Tally) -> None:
    """One visit, from connecting to leaving; whatever goes wrong is in the tally."""
    name = kind.__name__.replace("_", " ")
    tally.visits[name] += 1
    writer = None
    try:
        async with asyncio.timeout(VISIT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await kind(Line(reader, writer, tally), visitor)
    except TimeoutError:
        tally.blame(name, f"stuck for {VISIT_SECONDS:g} s")
    except (UnexpectedError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        tally.blame(name, f"{type(error).__name__}: {error}")
    finally:
        if writer is not None:
            writer.close()
