"""When a request has taken the server too long. The time that its caller takes to send the body is the caller's."""

import asyncio
from collections.abc import Callable

from starlette.types import Message, Receive


class Deadline:
    """Calls `missed` once `seconds` have passed since the body was there, or its latest part where more is to come.

    While the application waits for the body, no time passes here: `services.body` limits that. A timer and two looks
    at the clock are all that a request costs which is in time.
    """

    def __init__(
        self, receive: Receive, seconds: float, missed: Callable[[], None], *, since: float | None = None
    ) -> None:
        """Begins.

        Args:
            since: the loop's time when the body was there, where somebody else received it.
        """
        self._receive = receive
        self._seconds = seconds
        self._missed = missed
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time() if since is None else since
        self._waits = False
        self._whole = since is not None
        self._timer = self._loop.call_at(self._since + seconds, self._due)

    async def receive(self) -> Message:
        """As the server's own; stands in its place."""
        if self._whole:  # what comes now is at most that the caller went away
            return await self._receive()
        self._waits = True
        try:
            message = await self._receive()
        finally:
            self._waits = False
            self._since = self._loop.time()
        self._whole = not message.get("more_body", False)
        return message

    def over(self) -> bool:
        """Whether the time has passed."""
        return not self._waits and self._loop.time() - self._since >= self._seconds

    def stop(self) -> None:
        """Calls nobody from now on."""
        self._timer.cancel()

    def _due(self) -> None:
        if self.over():
            self._missed()
            return
        since = self._loop.time() if self._waits else self._since
        self._timer = self._loop.call_at(since + self._seconds, self._due)
