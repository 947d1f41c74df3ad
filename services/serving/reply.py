"""What goes out for one request: its status, the headers of every answer, and nothing more once it was given up."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from services.problems import Problem
from services.serving.state import State
from services.serving.v2.errors import render


class Reply:
    """Stands between the application and the server's `send`.

    Attributes:
        status: the answer's; 0 until its headers are out.
        given_up: what the application may still answer is dropped.
    """

    def __init__(self, scope: Scope, send: Send, request_id: str, state: State) -> None:
        self.request_id = request_id
        self.status = 0
        self._scope = scope
        self._send = send
        self._state = state
        self.given_up = False

    async def send(self, message: Message) -> None:
        """Sends what the application answers; drops it where the request was given up."""
        if not self.given_up:
            await self._pass_on(message)

    async def refuse(self, problem: Problem, receive: Receive) -> None:
        """Answers with a problem document, unless another answer has begun."""
        if self.status == 0:
            answer = render(problem, path=self._scope["path"], request_id=self.request_id)
            await answer(self._scope, receive, self._pass_on)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            headers["Mainline-Digest"] = self._state.settings.digest
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"
            if self._state.draining:
                headers["Connection"] = "close"
        await self._send(message)
