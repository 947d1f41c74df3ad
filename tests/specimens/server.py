"""The serving application with something wrong about it: `python -m tests.specimens.server`, a pod template's command.

`SPECIMEN` in the environment says what. Everything else, the settings, the bundle, the metrics, is the real one's.
Faults come by count, not by chance: the same requests meet the same faults.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from services.serving import __main__ as pod
from services.serving import member, server
from services.serving.app import create
from services.serving.engine import Engine
from services.serving.loader import Served

SLOW_SECONDS = 0.3
LEAK_BYTES = 512 * 1024  # a request; at 5 requests/s this is 150 MB a minute
CRASH_STATUS = 70
# More requests than the replay before a blue-green switch sends.
LATE = 350
# More than the first gates of a rollout look at.
LATER = 700
# What happens at the n-th request to /predict, n from 1, before the application sees it.
Fault = Callable[[int], Any]


class Faulty:
    """Inside of the edge, so that the metrics see what happens here as they see the application."""

    def __init__(self, app: ASGIApp, fault: Fault) -> None:
        self._app = app
        self._fault = fault
        self._seen = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/predict":
            self._seen += 1
            happens = self._fault(self._seen)
            if asyncio.iscoroutine(happens):
                await happens
        await self._app(scope, receive, send)


class Shut(Engine):
    """No hot path: it would answer before the application, and its fault, had heard of a request."""

    def open(self, served: Served, loop: asyncio.AbstractEventLoop) -> None:
        pass


class BrokenError(RuntimeError):
    """What a specimen raises in place of an answer."""


def slow(every: int, *, after: int = 0) -> Fault:
    """One request in `every` takes 300 ms, once `after` were answered."""
    return lambda n: asyncio.sleep(SLOW_SECONDS) if n > after and n % every == 0 else None


def error_in(every: int, *, after: int = 0) -> Fault:
    """One request in `every` fails, once `after` were answered."""

    def fault(n: int) -> None:
        if n > after and n % every == 0:
            raise BrokenError(f"request {n}")

    return fault


def hang(n: int) -> Any:
    """One request in ten gets no answer for a long time: it is neither failed nor slow until it ends."""
    return asyncio.sleep(600) if n % 10 == 0 else None


def leak() -> Fault:
    """Each request leaves half a megabyte behind."""
    kept: list[bytes] = []
    return lambda n: kept.append(b"x" * LEAK_BYTES)  # written, so that it takes memory


def crash(after: int) -> Fault:
    """The process ends at the request after so many."""

    def fault(n: int) -> None:
        if n > after:
            os._exit(CRASH_STATUS)

    return fault


FAULTS: Mapping[str, Callable[[], Fault]] = {
    "slow": lambda: slow(20),
    "leak": leak,
    "hang": lambda: hang,
    "crash": lambda: crash(100),
    "error-in-fifty": lambda: error_in(50),
    "error-in-two": lambda: error_in(2),
    "late-errors": lambda: error_in(10, after=LATE),
    "late-slow": lambda: slow(10, after=LATE),
    "later-errors": lambda: error_in(50, after=LATER),
    "later-slow": lambda: slow(20, after=LATER),
    "later-half": lambda: error_in(2, after=LATER),
}
NEVER_READY = "never-ready"


def main() -> int:
    """Serves as `services.serving` does, with the fault that the environment names. Exit 2: it names none."""
    name = os.environ.get("SPECIMEN", "")
    if name == NEVER_READY:
        vars(member)["load"] = lambda settings: threading.Event().wait()
    elif name in FAULTS:
        fault = FAULTS[name]()

        def faulty(*arguments: Any, **named: Any) -> Starlette:
            app = create(*arguments, **named)
            app.user_middleware.insert(1, Middleware(Faulty, fault=fault))  # behind Edge, which counts and times
            return app

        vars(server)["create"] = faulty
        vars(server)["Engine"] = Shut
    else:
        sys.stderr.write(f"SPECIMEN: got {name!r}, must be one of {', '.join([*FAULTS, NEVER_READY])}\n")
        return 2
    return pod.main()


if __name__ == "__main__":
    sys.exit(main())
