"""The outermost layer: request ids, response headers, metrics, the last resort for a failure that nobody foresaw."""

import re
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.logs import log
from services.problems import Kind, Problem, render
from services.replayed import is_replayed
from services.serving.metrics import Outcome
from services.serving.state import State

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Edge:
    """Wraps the application.

    Every answer carries `X-Request-Id` (the caller's, where it is plain and short, else a new one), `Mainline-Digest`,
    and while draining `Connection: close`: a kept-alive connection would lose the request that its caller sends next.

    Requests to /predict are counted and timed, the judge's own apart (`services.replayed`): those are in flight while
    they are handled, and no traffic. A caller that names its requests as the judge does hides only itself.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["Mainline-Digest"] = self._state.settings.digest
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cache-Control"] = "no-store"
                if self._state.draining:
                    headers["Connection"] = "close"
            await send(message)

        counted = scope["path"] == "/predict"
        begun = time.perf_counter()
        if counted:
            self._begin()
        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = 0
        except Exception:  # noqa: BLE001  (the last resort: logged, and told without a traceback)
            log.exception("request failed", extra={"request_id": request_id, "path": scope["path"][:100]})
            if status == 0:
                problem = Problem(Kind.INTERNAL, "The failure is in the server's log under this request id.")
                await render(problem, path=scope["path"], request_id=request_id)(scope, receive, send_with_headers)
            status = 500
        finally:
            if counted:
                self._end(request_id, status, time.perf_counter() - begun)

    def _begin(self) -> None:
        self._state.last_request = time.monotonic()
        self._state.in_flight += 1
        self._state.metrics.in_flight.inc()

    def _end(self, request_id: str, status: int, seconds: float) -> None:
        self._state.in_flight -= 1
        metrics = self._state.metrics
        metrics.in_flight.dec()
        if is_replayed(request_id):
            return
        outcome = _outcome(status)
        metrics.requests[outcome].inc()
        if outcome is Outcome.ANSWERED:
            # Refusals are quick: counted in, they would make a failing server look fast.
            metrics.seconds.observe(seconds)


def _outcome(status: int) -> Outcome:
    if status == 0:
        return Outcome.ABANDONED
    if status < 400:
        return Outcome.ANSWERED
    if status < 500:
        return Outcome.REFUSED
    return Outcome.UNAVAILABLE if status == 503 else Outcome.FAILED


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            if _REQUEST_ID.fullmatch(value):
                return str(value, "ascii")
            break
    return uuid.uuid4().hex
