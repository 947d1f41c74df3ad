"""The limit: a raw ASGI application that reads a request and answers a constant. No model, no framework."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]

# As long as what ours answers for one row of iris.
_BODY = (
    b'{"model":"forest","version":"1","digest":"sha256:%s","request_id":"%s","predictions":[{"prediction":"setosa",'
    b'"probabilities":{"setosa":1.0,"versicolor":0.0,"virginica":0.0}}],"warnings":[]}' % (b"0" * 64, b"0" * 36)
)
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))],
}


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answers every request alike."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    await send(_START)
    await send({"type": "http.response.body", "body": _BODY})
