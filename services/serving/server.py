"""The process around the routes: loads beside the listening socket, drains on SIGTERM, ends with a telling code."""

import asyncio
import gc
import random
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from models.errors import MainlineError
from models.store import write_bytes
from services.logs import configure, log
from services.serving import spool
from services.serving.app import create
from services.serving.capture import Capture
from services.serving.engine import Engine
from services.serving.feedback import Feedback
from services.serving.hot import HotProtocol
from services.serving.loader import load
from services.serving.metrics import Metrics
from services.serving.settings import Settings
from services.serving.state import State

# Once no request came for this long, the callers have heard that the server is not ready.
QUIET_SECONDS = 0.5
# Longer than the 60 s that proxies keep idle connections by habit: the side that closes first must be theirs, or a
# request that they just sent is lost.
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    """Uvicorn that, told to end, first goes on accepting while its callers learn of it.

    The first signal turns /ready false and asks every connection to close with its next answer. The socket closes when
    requests have ceased, at the latest after `drain_seconds`; what is in flight then has `grace_seconds`. A second
    signal closes at once. Uvicorn itself would close the socket with the first, and raise the signal again at the end.
    """

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state
        self._told_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Notes the signal; `on_tick` acts and logs, since a handler may interrupt a line that is being written."""
        if self._state.draining or self._state.served is None:
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
        if not self._told_at:
            self._told_at = now
            log.info("draining", extra={"in_flight": state.in_flight, "at_most_seconds": state.settings.drain_seconds})
        quiet = state.in_flight == 0 and now - max(state.last_request, self._told_at) >= QUIET_SECONDS
        return quiet or now - self._told_at >= state.settings.drain_seconds


def run(settings: Settings) -> int:
    """Serves until told to end. Returns the exit code: 0 drained, 1 the model could not be loaded."""
    configure(
        settings.log_level,
        {"model": settings.model, "model_version": settings.version, "digest": settings.digest},
    )
    metrics = Metrics(model=settings.model, version=settings.version, digest=settings.digest)
    state = State(settings, metrics)
    capture = feedback = None
    if settings.capture_uri:
        capture = Capture(settings, metrics, write=write_bytes, rng=random.Random())  # noqa: S311  (a sample, no secret)
        feedback = Feedback(settings, metrics, write=write_bytes)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # A daemon: a fetch that hangs must not keep a process that was told to end.
        loop = asyncio.get_running_loop()
        given = (state, server, capture, feedback, engine, loop)
        threading.Thread(target=_load, args=given, name="load", daemon=True).start()
        yield
        spool.close([log.spool for log in (capture, feedback) if log is not None])

    engine = Engine(state, capture, feedback.remember_each if feedback is not None else None)
    app = create(state, lifespan=lifespan, capture=capture, feedback=feedback)
    server = Server(config(state, app, engine), state)
    server.run()
    log.info("ended", extra={"failure": state.failure} if state.failure else {})
    return 1 if state.failure else 0


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


def _load(
    state: State,
    server: Server,
    capture: Capture | None,
    feedback: Feedback | None,
    engine: Engine,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Loads in a thread of its own, so that /healthz and /ready answer meanwhile."""
    log.info("loading", extra={"uri": state.settings.uri})
    try:
        served = load(state.settings)
    except Exception as err:  # noqa: BLE001  (see below)
        # Not only our own errors: a store or the runtime may fail in ways of their own, and none may leave the process
        # listening for ever without a model.
        state.failure = str(err) if isinstance(err, MainlineError) else f"{type(err).__name__}: {err}"
        log.error("the bundle was refused", extra={"reason": state.failure, "uri": state.settings.uri})
        server.should_exit = True
        return
    state.metrics.load_seconds.set(served.load_seconds)
    if capture is not None:
        capture.start(feature.name for feature in served.bundle.features if feature.sensitive)
    if feedback is not None:
        feedback.start(served.bundle.manifest)
    gc.collect()
    gc.freeze()  # the model and the application live as long as the process: collections need not walk them
    state.served = served
    loop.call_soon_threadsafe(engine.open, served, loop)
    log.info("ready", extra={"load_seconds": round(served.load_seconds, 4), "task": served.bundle.manifest.task})
