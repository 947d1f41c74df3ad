"""A server of predictions as the judge calls it: one connection that is kept, bounded time and size, no exceptions."""

import http.client
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from models.errors import MainlineError
from services.drift.connection import Connection
from services.drift.replay import Reply
from services.replayed import PREFIX

ASK_SECONDS = 2.0
_AGAIN_SECONDS = 0.2
_NAMED = {"User-Agent": "mainline-judge"}
# What a server says of itself is told on, so it has to look like what it is.
_FORMS = {
    "model": re.compile(r"[a-z][a-z0-9]{0,99}"),
    "version": re.compile(r"[A-Za-z0-9._-]{1,63}"),
    "digest": re.compile(r"sha256:[0-9a-f]{64}"),
    "uri": re.compile(r"[!-~]{1,1000}"),
    "hash": re.compile(r"[a-z0-9]{0,63}"),
}


class NotReached(MainlineError):  # noqa: N818  (what happened)
    """A server did not say who it is."""


@dataclass(frozen=True)
class Identity:
    """What a server says that it serves, and the pod-template hash of the pod that says so; empty where it has none."""

    model: str
    version: str
    digest: str
    uri: str
    hash: str


class Caller:
    """Asks one server, over one connection. For one thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = Connection(url, seconds=ASK_SECONDS)

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

    def identity(self) -> Identity:
        """Who answers on this connection.

        Raises:
            NotReached: it does not say.
        """
        at = f"{self._url}/metadata"
        try:
            status, told = self._connection.call("GET", "/metadata", headers=_NAMED)
            document = json.loads(told) if status == 200 else None
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as err:
            raise NotReached(f"{at}: {type(err).__name__}; see its service and network policy") from err
        if status != 200:
            raise NotReached(f"{at}: answers {status}; is it ready?")
        if not isinstance(document, dict):
            raise NotReached(f"{at}: is no server of predictions; see the address")
        told_by_name = {"hash": "", **document}
        for name, form in _FORMS.items():
            value = told_by_name.get(name)
            if not isinstance(value, str) or not form.fullmatch(value):
                raise NotReached(f"{at}: tells no {name} that is one; see the address")
        return Identity(**{name: told_by_name[name] for name in _FORMS})

    def _post(self, body: bytes) -> Reply:
        started = time.perf_counter()
        headers = {"Content-Type": "application/json", "X-Request-Id": f"{PREFIX}{uuid.uuid4().hex}", **_NAMED}
        try:
            status, told = self._connection.call("POST", "/predict", body, headers)
        except (OSError, http.client.HTTPException):
            return Reply(0, time.perf_counter() - started)
        seconds = time.perf_counter() - started
        if status != 200:
            return Reply(status, seconds)
        try:
            document = json.loads(told)
            return Reply(200, seconds, str(document["digest"]), dict(document["predictions"][0]))
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            return Reply(200, seconds, prediction={})


def identity(url: str) -> Identity:
    """What the server at `url` serves.

    Raises:
        NotReached: it does not say.
    """
    with Caller(url) as caller:
        return caller.identity()
