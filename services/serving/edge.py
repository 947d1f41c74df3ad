"""The outermost layer: request ids, metrics, a deadline, the last resort for a failure that nobody foresaw."""

import asyncio
import re
import time
import uuid

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from services.logs import log
from services.problems import Fault, Kind, Problem
from services.replayed import is_replayed
from services.serving.deadline import Deadline
from services.serving.metrics import Outcome
from services.serving.reply import Reply
from services.serving.state import State

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Edge:
    """Wraps the application.

    Every answer carries `X-Request-Id` (the caller's, where it is plain and short, else a new one), `Mainline-Digest`,
    and while draining `Connection: close`: a kept-alive connection would lose the request that its caller sends next.

    Requests for predictions are counted and timed, the judge's own apart (`services.replayed`): those are in flight
    while they are handled, and no traffic. A caller that names its requests as the judge does hides only itself.

    Such a request ends at its deadline, whatever the application does: it is counted as failed, answered with
    a problem document, or its connection closed where an answer had begun. What runs for it is cancelled; a thread
    cannot be, and goes on for nobody.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        scope.setdefault("state", {}).update(request_id=request_id, serving=self._state)
        reply = Reply(scope, send, request_id, self._state)
        if predicts(scope["path"].removeprefix(scope.get("root_path", ""))):
            await self._counted(scope, receive, reply)
        else:
            await self._answer(scope, receive, reply)

    async def _counted(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        """Answers a request for predictions, counts it once, and leaves none without an end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (the server runs each request in one)
        ending: asyncio.Task[None] | None = None

        def missed() -> None:
            nonlocal ending
            reply.given_up = True
            self._end(reply.request_id, Outcome.FAILED)
            ending = asyncio.create_task(self._refuse_late(receive, reply))
            task.cancel()

        begun = time.perf_counter()
        self._begin()
        if scope["state"].get("late"):  # it waited elsewhere (`engine`)
            self._end(reply.request_id, Outcome.FAILED)
            await self._refuse_late(receive, reply)
            return
        seconds, since = self._state.settings.request_seconds, scope["state"].get("since")  # of `router`
        deadline = Deadline(receive, seconds, missed, since=since)
        try:
            await self._answer(scope, deadline.receive, reply)
        except asyncio.CancelledError:
            if ending is None:
                raise
        finally:
            deadline.stop()
            if ending is None:
                # A caller that left after the deadline left because of us.
                late = reply.status == 0 and deadline.over()
                outcome = Outcome.FAILED if late else _outcome(reply.status)
                self._end(reply.request_id, outcome, time.perf_counter() - begun)
        if ending is not None:
            if task.uncancel():
                raise asyncio.CancelledError
            await ending

    async def _answer(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        try:
            await self._app(scope, receive, reply.send)
        except ClientDisconnect:
            reply.status = 0
        except Exception:  # noqa: BLE001  (the last resort: logged, and told without a traceback)
            log.exception("request failed", extra={"request_id": reply.request_id})  # its frames tell the route
            if not reply.given_up:
                problem = Problem(Kind.INTERNAL, "The failure is in the server's log under this request id.")
                await reply.refuse(problem, receive)
                reply.status = 500

    async def _refuse_late(self, receive: Receive, reply: Reply) -> None:
        seconds = self._state.settings.request_seconds
        log.error("request missed its deadline", extra={"request_id": reply.request_id, "seconds": seconds})
        fault = Fault("server", "no answer", f"answers within {seconds:g} s", "try again, with fewer rows if many")
        detail = f"There was no answer within {seconds:g} s."
        await reply.refuse(Problem(Kind.NO_ANSWER_IN_TIME, detail, [fault], {"Connection": "close"}), receive)

    def _begin(self) -> None:
        self._state.last_request = time.monotonic()
        self._state.in_flight += 1

    def _end(self, request_id: str, outcome: Outcome, seconds: float = 0.0) -> None:
        self._state.in_flight -= 1
        metrics = self._state.metrics
        if is_replayed(request_id):
            return
        metrics.requests[outcome].inc()
        if outcome is Outcome.ANSWERED:
            # Refusals are quick: counted in, they would make a failing server look fast.
            metrics.seconds.observe(seconds)


def predicts(path: str) -> bool:
    """Whether a request to `path` is counted, timed and bound to a deadline: /predict, and the protocol's infer."""
    return path == "/predict" or (path.startswith("/v2/models/") and path.endswith("/infer"))


def _outcome(status: int) -> Outcome:
    if status == 0:
        return Outcome.ABANDONED
    if status < 400:
        return Outcome.ANSWERED
    if status < 500:
        return Outcome.REFUSED
    return Outcome.UNAVAILABLE if status == 503 else Outcome.FAILED


def request_id_of(scope: Scope) -> str:
    """The caller's id of a request, where it is plain and short, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            if _REQUEST_ID.fullmatch(value):
                return str(value, "ascii")
            break
    return uuid.uuid4().hex
