"""Parts of one request that are answered together or not at all. Made by `router`; the route of predictions waits."""

import asyncio

from starlette.requests import ClientDisconnect, Request

_NAME = "all_or_none"


class AllOrNone:
    """Holds each part, once it has its predictions, until all have theirs: before anything is counted or captured."""

    def __init__(self, n_parts: int) -> None:
        self._missing = n_parts
        self._refused = False
        self._settled = asyncio.Event()

    @property
    def state(self) -> dict[str, object]:
        """What the scope of each part's request carries."""
        return {_NAME: self}

    def refuse(self) -> None:
        """Ends the parts that wait, and those that will."""
        self._refused = True
        self._settled.set()

    async def agree(self) -> None:
        """Waits for the others.

        Raises:
            starlette.requests.ClientDisconnect: a part was refused, so that nobody waits for this one any more.
        """
        self._missing -= 1
        if not self._missing:
            self._settled.set()
        await self._settled.wait()
        if self._refused:
            raise ClientDisconnect


async def agreed(request: Request) -> None:
    """Waits for the other parts of the request, where it is one of several.

    Raises:
        starlette.requests.ClientDisconnect: as `agree`.
    """
    united = getattr(request.state, _NAME, None)
    if united is not None:
        await united.agree()
