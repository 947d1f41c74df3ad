"""Several models asked for their parts of one request, and what they say put together. Part of `router`.

All are asked at once, each under an id of its own, and answer all or none: a part that has its predictions waits for
the others before it is counted and captured (`all_or_none`). Where one refuses, its refusal is the answer, with the
caller's rows; the rest of them count the request as abandoned. They have one deadline, that of the request.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.problems import encode
from services.serving.all_or_none import AllOrNone
from services.serving.places import own_id
from services.serving.settings import Settings


@dataclass(frozen=True)
class Part:
    """What one model is asked.

    Attributes:
        rows: places in the request of the rows that it has, in order.
    """

    model: str
    rows: Sequence[int]
    body: bytes


class Taken:
    """What a model answers, kept; `status` is 0 where it gave up."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def send(self, message: Message) -> None:
        """Stands in place of the server's."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")


async def ask(part: Part, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Has one model answer, under the scope's request id."""
    length = str(len(part.body)).encode()
    kept = without(scope["headers"], b"content-length", b"transfer-encoding")
    inner = {**scope, "headers": [*kept, (b"content-length", length)], "state": {**scope["state"]}}
    await app(inner, _again(part.body, receive), send)


async def ask_each(
    parts: Sequence[Part], apps: Mapping[str, ASGIApp], scope: Scope, receive: Receive, request_id: str
) -> list[Taken]:
    """What each model says of its part: 200 all, or at least one of them another status that is not 0."""
    united = AllOrNone(len(parts))

    async def taken(part: Part) -> Taken:
        answer = Taken()
        own = named(scope, own_id(request_id, part.model))
        await ask(part, apps[part.model], {**own, "state": scope["state"] | united.state}, receive, answer.send)
        if answer.status != 200:
            united.refuse()
        return answer

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(taken(part)) for part in parts]
    return [task.result() for task in tasks]


def together(parts: Sequence[Part], answers: Sequence[Taken], request_id: str, settings: Settings) -> Response:
    """One answer of several: the first refusal, if any.

    Args:
        settings: the main model's, for which the answer speaks.
    """
    told = [_document(part, answer) for part, answer in zip(parts, answers, strict=True) if answer.status]
    for answer, document in zip((answer for answer in answers if answer.status), told, strict=True):
        if answer.status != 200:
            headers = dict(without(answer.headers, b"content-length"))
            kept = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
            return Response(encode(document | {"request_id": request_id}), answer.status, kept)
    predictions: list[object] = [None] * sum(len(part.rows) for part in parts)
    routed: list[object] = list(predictions)
    for part, document in zip(parts, told, strict=True):
        for own, (index, prediction) in enumerate(zip(part.rows, document["predictions"], strict=True)):
            predictions[index] = prediction
            routed[index] = {"model": part.model, "request_id": document["request_id"], "row": own}
    answered = {
        "model": settings.model,
        "version": settings.version,
        "digest": settings.digest,
        "request_id": request_id,
        "predictions": predictions,
        "warnings": [warning for document in told for warning in document["warnings"]],
        "routed": routed,
        "models": {
            document["model"]: {"version": document["version"], "digest": document["digest"]} for document in told
        },
    }
    return Response(encode(answered), media_type="application/json")


def named(scope: Scope, request_id: str) -> Scope:
    """The scope of the same request under this id."""
    kept = without(scope["headers"], b"x-request-id")
    return {**scope, "headers": [*kept, (b"x-request-id", request_id.encode("ascii"))]}


def without(headers: Sequence[tuple[bytes, bytes]], *names: bytes) -> list[tuple[bytes, bytes]]:
    """The headers but those of these names, in lower case."""
    return [(name, value) for name, value in headers if name.lower() not in names]


def _document(part: Part, answer: Taken) -> dict[str, Any]:
    """What a model says, with the rows of the request in place of its own."""
    document: dict[str, Any] = json.loads(answer.body)
    for told in (*document.get("errors", ()), *document.get("warnings", ())):
        if "row" in told:
            told["row"] = part.rows[told["row"]]
    return document


def _again(raw: bytes, receive: Receive) -> Receive:
    """What a body is received from that was read before."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()  # the caller went away, at most
        given = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return receive_again
