"""The process around the routes: loads beside the listening socket, drains on SIGTERM, ends with a telling code."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from services.logs import configure, log
from services.serving import spool
from services.serving.app import create
from services.serving.engine import Engine
from services.serving.hot import HotProtocol
from services.serving.loader import Served
from services.serving.member import Member, member
from services.serving.settings import Settings
from services.serving.several import Several
from services.serving.state import State

# Longer than the 60 s that proxies keep idle connections by habit: the side that closes first must be theirs, or a
# request that they just sent is lost.
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    """Uvicorn that, told to end, first goes on accepting while its callers learn of it.

    The first signal turns /ready false and asks every connection to close with its next answer. The socket closes when
    requests have ceased for `quiet_seconds`, at the latest after `drain_seconds`; what is in flight then has
    `grace_seconds`. A second signal closes at once. Uvicorn itself would close the socket with the first, and raise the
    signal again at the end.
    """

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state
        self._told_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Notes the signal; `on_tick` acts and logs, since a handler may interrupt a line that is being written."""
        if self._state.draining or not any(each.served for each in self._state.everyone):
            self.should_exit = True
        self._state.drain()

    async def on_tick(self, counter: int) -> bool:
        """Whether to close now. Called ten times a second."""
        ends = await super().on_tick(counter)
        if self._state.draining and not ends:
            ends = self._drained(time.monotonic())
        return ends

    def _drained(self, now: float) -> bool:
        state = self._state
        in_flight = sum(each.in_flight for each in state.everyone)
        if not self._told_at:
            self._told_at = now
            log.info("draining", extra={"in_flight": in_flight, "at_most_seconds": state.settings.drain_seconds})
        last_request = max(each.last_request for each in state.everyone)
        since = now - max(last_request, self._told_at)
        quiet = in_flight == 0 and since >= state.settings.quiet_seconds
        return quiet or now - self._told_at >= state.settings.drain_seconds


def run(settings: Settings) -> int:
    """Serves until told to end. Returns the exit code: 0 drained, 1 the model could not be loaded."""
    configure(settings.log_level, settings.identity)
    sharing = 1 + len(settings.beside)
    main = member(settings, sharing=sharing)
    state, capture, feedback = main.state, main.capture, main.feedback
    members = [main, *(member(settings.of(pin), main=state, sharing=sharing) for pin in settings.beside)]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # A daemon: a fetch that hangs must not keep a process that was told to end.
        loop = asyncio.get_running_loop()
        given = (members, server, engine, loop)
        threading.Thread(target=_load, args=given, name="load", daemon=True).start()
        yield
        logs = [kept for each in members for kept in (each.capture, each.feedback)]
        spool.close([kept.spool for kept in logs if kept is not None])

    engine = Engine(state, capture, feedback.remember_each if feedback is not None else None)
    app: ASGIApp = create(state, lifespan=lifespan, capture=capture, feedback=feedback)
    if state.beside:
        others = {
            each.state.name: create(each.state, capture=each.capture, feedback=each.feedback) for each in members[1:]
        }
        app = Several(state, {state.name: app, **others})
    server = Server(config(state, app, engine), state)
    server.run()
    failure = "; ".join(each.failure for each in state.everyone if each.failure)
    log.info("ended", extra={"failure": failure} if failure else {})
    return 1 if failure else 0


def config(state: State, app: ASGIApp, engine: Engine) -> uvicorn.Config:
    """How uvicorn serves `app`, and `engine` before it."""
    settings = state.settings
    protocol = partial(HotProtocol, engine=engine, head_seconds=settings.body_seconds)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=cast("type[asyncio.Protocol]", protocol),
        loop="uvloop",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # Whole seconds in uvicorn's signature.
        timeout_graceful_shutdown=max(1, round(settings.grace_seconds)),
    )


def _load(members: Sequence[Member], server: Server, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
    """Loads in a thread of its own, so that /healthz and /ready answer meanwhile; ends the server if all fail."""
    main, *others = members

    def opened(served: Served) -> None:
        if main.state.settings.route is None:  # else rows to /predict are looked at first
            loop.call_soon_threadsafe(engine.open, served, loop)

    loaded = [main.load_weighed(opened) if others else main.load(opened), *(other.load_weighed() for other in others)]
    if not any(loaded):
        server.should_exit = True
