"""Waiting for what a cluster does: a line where what is seen changes, and a timeout that says what was seen last."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from pipelines.kube import KubeFailed

T = TypeVar("T")

# A line although nothing changed, so that a person sees it live.
_SIGN_OF_LIFE_SECONDS = 20.0
_begun = time.monotonic()


class NotYet(Exception):  # noqa: N818  (says what is so)
    """Raised by a look at something that is still on its way: what was seen of it."""


def until(what: str, look: Callable[[], T], *, seconds: float, every: float = 1.0) -> T:
    """What `look` returns, asked again while it raises NotYet or the cluster does not answer.

    Raises:
        AssertionError: it took longer than `seconds`; names what was seen last. What else `look` raises ends it too.
    """
    begun = told = time.monotonic()
    seen = ""
    while True:
        try:
            found = look()
        except (NotYet, KubeFailed, OSError) as err:
            now, before = time.monotonic(), seen
            seen = _brief(err)
            if seen != before or now - told >= _SIGN_OF_LIFE_SECONDS:
                say(f"{now - begun:5.0f} s  {what}: {seen}")
                told = now
            if now - begun > seconds:
                raise AssertionError(f"{what}: not within {seconds:.0f} s; seen last: {seen}") from err
            time.sleep(every)
            continue
        say(f"{time.monotonic() - begun:5.1f} s  {what}: done")
        return found


def say(line: str) -> None:
    """A line for who watches, with the seconds since the suite began."""
    sys.stderr.write(f"    [{time.monotonic() - _begun:5.0f}] {line}\n")
    sys.stderr.flush()


class Clock:
    """Seconds from when it was made."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.at = time.time()

    @property
    def seconds(self) -> float:
        """Until now."""
        return round(time.monotonic() - self.begun, 1)


def _brief(err: Exception) -> str:
    return " ".join(str(err).split())[:300] or type(err).__name__
