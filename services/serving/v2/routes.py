"""The routes under /v2. Plain ones of Starlette: an inference passes nothing that reads signatures.

What is done in a millisecond is answered where it comes: few rows, or many that came as bytes where the graph is quick
(4,096 rows of 30 numbers by a logistic regression: 1,400 a second, where a hop to a thread and back leaves 970). All
else is read, computed and written in one of the threads that `room` counts rows into: `work` does it whole.
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services import body
from services.problems import Fault, Kind, Problem, encode
from services.replayed import is_replayed
from services.serving.answer import INLINE_BYTES, INLINE_ROWS, INLINE_SECONDS
from services.serving.capture import Capture
from services.serving.feedback import Feedback
from services.serving.room import Room
from services.serving.state import State
from services.serving.v2 import metadata, requests
from services.serving.v2.errors import PREFIX
from services.serving.v2.work import Work, Worked

# Triton's client names none.
MEDIA_TYPES = ("application/json", "application/octet-stream", "")


class Protocol:
    """The handlers, around one server's state. Each answers a refusal in the protocol's form (`errors.render`)."""

    def __init__(self, state: State, capture: Capture | None, feedback: Feedback | None) -> None:
        self._state = state
        self._capture = capture
        self._feedback = feedback

    def routes(self) -> list[Route]:
        """All of them."""
        model = "/models/{model}"
        found = [Route(f"{PREFIX}{end}", self.server, methods=["GET"]) for end in ("", "/")]
        found.append(Route(f"{PREFIX}/health/live", self.live, methods=["GET"]))
        found.append(Route(f"{PREFIX}/health/ready", self.ready, methods=["GET"]))
        for path in (model, f"{model}/versions/{{version}}"):
            found.append(Route(f"{PREFIX}{path}/infer", self.infer, methods=["POST"]))
            found.append(Route(f"{PREFIX}{path}/ready", self.model_ready, methods=["GET"]))
            found.append(Route(f"{PREFIX}{path}", self.model, methods=["GET"]))
        return found

    async def server(self, request: Request) -> Response:
        return _json({**metadata.server()})

    async def live(self, request: Request) -> Response:
        return _json({"live": True})

    async def ready(self, request: Request) -> Response:
        self._state.all_ready()
        return _json({"live": True, "ready": True})  # the protocol's text says one, its servers the other

    async def model(self, request: Request) -> Response:
        self._check_address(request)
        return _json({**metadata.model(self._state.model().bundle, version=self._state.settings.version)})

    async def model_ready(self, request: Request) -> Response:
        self._check_address(request)
        self._state.ready()
        return _json({"name": self._state.settings.model, "ready": True})

    async def infer(self, request: Request) -> Response:
        self._check_address(request)
        state, request_id = self._state, request.state.request_id
        settings, served = state.settings, state.model()
        raw = await body.read(
            request,
            max_bytes=served.bundle.manifest.serving.max_body_bytes,
            seconds=settings.body_seconds,
            media_types=MEDIA_TYPES,
        )
        length = requests.json_length(request.headers.get(requests.HEADER), len(raw))
        work = Work(served, settings.version, request_id, raw, length)
        worked = await _done(work, state.rows)
        if not is_replayed(request_id):
            state.metrics.rows.inc(len(worked.rows))
            if self._capture is not None:
                self._capture.offer_texts(request_id, worked.rows, worked.predictions)
            if self._feedback is not None:
                self._feedback.remember_rows(request_id, worked.outputs)
        return worked.response

    def _check_address(self, request: Request) -> None:
        """Nothing, where the path names the one model that is here, and its version, if it names one.

        Raises:
            Problem: it names another.
        """
        settings = self._state.settings
        beside = [each.name for each in self._state.beside]
        for noun, here, others in (("model", settings.model, beside), ("version", settings.version, [])):
            named = request.path_params.get(noun, here)
            if named != here:
                all_here = ", ".join([here, *others])
                fault = Fault(noun, named, f"this server has {noun} {all_here} only", f"ask for {all_here}")
                raise Problem(Kind.NOT_FOUND, f"There is no such {noun} here.", [fault])


async def _done(work: Work, room: Room) -> Worked:
    """What `work` does: here where it is little, else in a thread; its rows are counted either way.

    Raises:
        Problem: as `work`, or no room for its rows.
    """
    if work.json_bytes > INLINE_BYTES:
        return await room.run(work.most_rows, work.whole)
    asked = work.read()
    n_rows = work.n_rows(asked)
    if work.slow_bytes > INLINE_BYTES or (n_rows > INLINE_ROWS and work.seconds(n_rows) > INLINE_SECONDS):
        return await room.run(n_rows, partial(work.compute, asked))
    room.take(n_rows)
    try:
        return work.compute(asked)
    finally:
        room.give_back(n_rows)


def _json(document: dict[str, object]) -> Response:
    return Response(encode(document), media_type="application/json")
