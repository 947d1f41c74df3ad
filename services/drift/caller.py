"""A server of predictions as the judge calls it: one connection that is kept, bounded time and size, no exceptions."""

import http.client
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from models.errors import MainlineError
from services.drift.parts import REPLAYED
from services.drift.replay import Reply

ASK_SECONDS = 2.0
_MAX_BYTES = 2**20
_AGAIN_SECONDS = 0.2


class NotReached(MainlineError):  # noqa: N818  (what happened)
    """A server did not say who it is."""


@dataclass(frozen=True)
class Identity:
    """What a server says that it serves."""

    model: str
    version: str
    digest: str
    uri: str


class Caller:
    """Asks one server, over one connection. For one thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=ASK_SECONDS)
        self._path = parts.path.rstrip("/")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def ask(self, row: Mapping[str, Any], *, until: float) -> Reply:
        """The reply to one row. A connection that breaks is tried once more, a server that is silent is not."""
        body = json.dumps({"instances": [row]}).encode()
        reply = self._post(body)
        if reply.status == 0 and reply.seconds < ASK_SECONDS / 2 and time.monotonic() + _AGAIN_SECONDS < until:
            time.sleep(_AGAIN_SECONDS)
            reply = self._post(body)
        return reply

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON document.

        Raises:
            OSError, http.client.HTTPException, ValueError: there is none.
        """
        self._connection.request("GET", self._path + path)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read(_MAX_BYTES))

    def _post(self, body: bytes) -> Reply:
        started = time.perf_counter()
        try:
            self._connection.request(
                "POST",
                f"{self._path}/predict",
                body,
                {
                    "Content-Type": "application/json",
                    "User-Agent": "mainline-judge",
                    "X-Request-Id": f"{REPLAYED}{uuid.uuid4().hex}",
                },
            )
            answer = self._connection.getresponse()
            told = answer.read(_MAX_BYTES)
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens it again
            return Reply(0, time.perf_counter() - started)
        seconds = time.perf_counter() - started
        if answer.status != 200:
            return Reply(answer.status, seconds)
        try:
            document = json.loads(told)
            return Reply(200, seconds, str(document["digest"]), dict(document["predictions"][0]))
        except (ValueError, KeyError, TypeError, IndexError):
            return Reply(200, seconds, prediction={})


def identity(url: str) -> Identity:
    """What the server at `url` serves.

    Raises:
        NotReached: it does not say.
    """
    try:
        with Caller(url) as caller:
            status, document = caller.get("/metadata")
        if status != 200:
            raise NotReached(f"{url}/metadata: answers {status}; is it ready?")
        return Identity(*(str(document[name]) for name in ("model", "version", "digest", "uri")))
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as err:
        raise NotReached(f"{url}/metadata: {type(err).__name__}: {err}; see its service and network policy") from err
