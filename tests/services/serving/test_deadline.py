"""A request to /predict ends in time and is counted as failed, whatever the application below does."""

import asyncio
import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterable

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.serving.deadline import Deadline
from services.serving.edge import Edge
from services.serving.metrics import Outcome
from services.serving.state import State

SECONDS = 0.1
SCOPE: Scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [(b"x-request-id", b"r1")]}
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
END: Message = {"type": "http.response.body", "body": b"{}"}
BODY: Message = {"type": "http.request", "body": b"{}", "more_body": False}


@dataclasses.dataclass
class Ended:
    """What a caller got, after how many seconds, and whether the application still ran."""

    sent: list[Message]
    seconds: float
    running: bool


@pytest.fixture
def end(state: State) -> Callable[..., Ended]:
    """Asks an application behind the edge until its answer ends or it does."""
    state.settings = dataclasses.replace(state.settings, request_seconds=SECONDS)

    async def asked(app: ASGIApp, parts: Iterable[Message], pause: float) -> Ended:
        sent: list[Message] = []
        complete, coming = asyncio.Event(), iter(parts)

        async def receive() -> Message:
            await asyncio.sleep(pause)
            for message in coming:
                return message
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body":
                complete.set()

        begun = time.monotonic()
        task = asyncio.create_task(Edge(app, state)(dict(SCOPE), receive, send))
        await asyncio.wait({task, asyncio.create_task(complete.wait())}, timeout=5, return_when="FIRST_COMPLETED")
        seconds = time.monotonic() - begun
        await asyncio.sleep(0.02)
        if task.done():
            task.result()
        ended = Ended(sent, seconds, running=not task.done())
        with contextlib.suppress(asyncio.CancelledError):
            task.cancel()
            await task
        return ended

    def run(app: ASGIApp, parts: Iterable[Message] = (BODY,), pause: float = 0.0) -> Ended:
        return asyncio.run(asked(app, parts, pause))

    return run


def _counts(state: State) -> dict[str, float]:
    values = {"model": "house", "model_version": "7"}
    registry = state.metrics.registry
    counts = {
        outcome.value: registry.get_sample_value("mainline_requests_total", {**values, "outcome": outcome.value}) or 0
        for outcome in Outcome
    }
    timed = registry.get_sample_value("mainline_request_duration_seconds_count", values) or 0
    return {name: count for name, count in (counts | {"timed": timed, "in flight": state.in_flight}).items() if count}


async def _read(receive: Receive) -> Message:
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    return message


async def hangs_unread(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(60)


async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
    await _read(receive)
    await asyncio.sleep(60)


async def hangs_until_the_caller_goes(scope: Scope, receive: Receive, send: Send) -> None:
    await _read(receive)
    await receive()


async def hangs_in_a_thread(scope: Scope, receive: Receive, send: Send) -> None:
    await _read(receive)
    await asyncio.to_thread(threading.Event().wait, 0.5)


async def fails_when_cancelled(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        raise RuntimeError("secret") from None


async def answers_when_cancelled(scope: Scope, receive: Receive, send: Send) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    await send(START)
    await send(END)


HANGS = (
    hangs_unread,
    hangs,
    hangs_until_the_caller_goes,
    hangs_in_a_thread,
    fails_when_cancelled,
    answers_when_cancelled,
)


@pytest.mark.parametrize("app", HANGS, ids=[app.__name__ for app in HANGS])
def test_request_that_hangs_is_answered_at_its_deadline_and_failed(
    end: Callable[..., Ended], state: State, app: ASGIApp
) -> None:
    ended = end(app)
    assert [message["type"] for message in ended.sent] == ["http.response.start", "http.response.body"]
    assert ended.sent[0]["status"] == 504
    headers = dict(ended.sent[0]["headers"])
    assert (headers[b"connection"], headers[b"x-request-id"]) == (b"close", b"r1")
    assert b"no-answer-in-time" in ended.sent[1]["body"]
    assert SECONDS <= ended.seconds < 1.0
    assert (_counts(state), ended.running) == ({"failed": 1}, False)


def test_application_that_will_not_be_cancelled_keeps_no_caller_waiting(
    end: Callable[..., Ended], state: State
) -> None:
    async def goes_on(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    ended = end(goes_on)
    assert (ended.sent[0]["status"], ended.seconds < 1.0, ended.running) == (504, True, True)
    assert _counts(state) == {"failed": 1}


def test_answer_that_had_begun_is_left_unfinished(end: Callable[..., Ended], state: State) -> None:
    async def stops_half_way(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await asyncio.sleep(60)

    ended = end(stops_half_way)  # a server closes the connection of an answer without an end
    assert ([message["type"] for message in ended.sent], ended.running) == (["http.response.start"], False)
    assert _counts(state) == {"failed": 1}


def test_time_that_the_caller_takes_is_not_the_servers(end: Callable[..., Ended], state: State) -> None:
    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        await _read(receive)
        await asyncio.sleep(SECONDS * 0.7)
        await send(START)
        await send(END)

    parts = [{**BODY, "more_body": True}] * 2 + [BODY]
    assert end(answers, parts, pause=SECONDS * 0.7).sent[0]["status"] == 200
    assert _counts(state) == {"answered": 1, "timed": 1}


def test_deadline_runs_from_the_last_part_of_a_slow_body(end: Callable[..., Ended], state: State) -> None:
    parts = [{**BODY, "more_body": True}, BODY]
    ended = end(hangs, parts, pause=SECONDS * 1.2)
    assert ended.sent[0]["status"] == 504
    assert SECONDS * 3.4 <= ended.seconds < SECONDS * 6


@pytest.mark.parametrize(("blocked", "outcome"), [(0.0, "abandoned"), (SECONDS * 1.5, "failed")])
def test_caller_that_left_after_the_deadline_counts_as_failed(
    end: Callable[..., Ended], state: State, blocked: float, outcome: str
) -> None:
    async def sees_it_late(scope: Scope, receive: Receive, send: Send) -> None:
        await _read(receive)
        time.sleep(blocked)  # no timer runs meanwhile
        raise ClientDisconnect

    end(sees_it_late)
    assert _counts(state) == {outcome: 1}


def test_request_that_is_cancelled_from_outside_is_no_failure(state: State) -> None:
    async def run() -> None:
        async def receive() -> Message:
            return BODY

        async def send(message: Message) -> None:
            raise AssertionError(message)

        task = asyncio.create_task(Edge(hangs, state)(dict(SCOPE), receive, send))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert _counts(state) == {"abandoned": 1}


async def late(since: float) -> bool:
    """Whether an application of no time is late, whose body somebody else received at the loop's time `since`."""
    missed = asyncio.Event()

    async def receive() -> Message:
        return BODY

    loop = asyncio.get_running_loop()
    deadline = Deadline(receive, 60.0, missed.set, since=loop.time() + since)
    await deadline.receive()
    await asyncio.sleep(0.01)
    deadline.stop()
    return missed.is_set()


@pytest.mark.parametrize(("since", "wanted"), [(-60.5, True), (-1.0, False)])
def test_time_runs_from_when_somebody_else_had_the_body(since: float, wanted: bool) -> None:
    assert asyncio.run(late(since)) is wanted
