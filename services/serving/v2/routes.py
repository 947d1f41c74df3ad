"""The routes under /v2. Plain ones of Starlette: an inference passes nothing that reads signatures.

A request goes three ways: its JSON and strings become rows, off the event loop where they are many bytes; rows become
outputs in `answer.outputs`, the one place that knows how the model is asked; outputs become the answer's bytes.
"""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services import body
from services.problems import Fault, Kind, Problem, encode
from services.replayed import is_replayed
from services.serving import answer
from services.serving.capture import Capture
from services.serving.loader import Served
from services.serving.state import State
from services.serving.v2 import inputs, metadata, requests, responses
from services.serving.v2.errors import PREFIX
from services.serving.v2.named import named_predictions

# Triton's client names none.
MEDIA_TYPES = ("application/json", "application/octet-stream", "")
# JSON and strings cost some 30 ns a byte: above this, half a millisecond, five hops to a thread. Numbers as bytes cost
# a hundredth of it, and are read where they come.
INLINE_BYTES = 16_384


def routes(state: State, capture: Capture | None) -> list[Route]:
    """All of them. Each answers a refusal in the protocol's form (`errors.render`)."""
    protocol = _Protocol(state, capture)
    model = "/models/{model}"
    found = [Route(f"{PREFIX}{end}", protocol.server, methods=["GET"]) for end in ("", "/")]
    found.append(Route(f"{PREFIX}/health/live", protocol.live, methods=["GET"]))
    found.append(Route(f"{PREFIX}/health/ready", protocol.ready, methods=["GET"]))
    for path in (model, f"{model}/versions/{{version}}"):
        found.append(Route(f"{PREFIX}{path}/infer", protocol.infer, methods=["POST"]))
        found.append(Route(f"{PREFIX}{path}/ready", protocol.model_ready, methods=["GET"]))
        found.append(Route(f"{PREFIX}{path}", protocol.model, methods=["GET"]))
    return found


class _Protocol:
    """The handlers, around one server's state."""

    def __init__(self, state: State, capture: Capture | None) -> None:
        self._state = state
        self._capture = capture

    async def server(self, request: Request) -> Response:
        return _json({**metadata.server()})

    async def live(self, request: Request) -> Response:
        return _json({"live": True})

    async def ready(self, request: Request) -> Response:
        self._state.ready()
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
        served = state.model()
        manifest = served.bundle.manifest
        raw = await body.read(
            request,
            max_bytes=manifest.serving.max_body_bytes,
            seconds=state.settings.body_seconds,
            media_types=MEDIA_TYPES,
        )
        length = requests.json_length(request.headers.get(requests.HEADER), len(raw))
        read = _reader(served, raw, length)
        slow = len(raw) if b"BYTES" in raw[:length] else length
        asked, wanted, given = read() if slow <= INLINE_BYTES else await asyncio.to_thread(read)
        outputs = await answer.outputs(served, given.encoded.matrix)
        responses.check_finite(outputs, given.encoded)
        if not is_replayed(request_id):
            state.metrics.rows.inc(len(given.named))
            if self._capture is not None:
                predictions = named_predictions(served.predictor, outputs)
                n_bytes = given.named.n_bytes + predictions.n_bytes
                self._capture.offer(request_id, given.named, predictions, body_bytes=len(raw), n_bytes=n_bytes)
        who = responses.Identity(state.settings.model, state.settings.version, request_id)
        return responses.response(asked, wanted, outputs, given.encoded, manifest, who)

    def _check_address(self, request: Request) -> None:
        """Nothing, where the path names the one model that is here, and its version, if it names one.

        Raises:
            Problem: it names another.
        """
        settings = self._state.settings
        for noun, here in (("model", settings.model), ("version", settings.version)):
            named = request.path_params.get(noun, here)
            if named != here:
                fault = Fault(noun, named, f"this server has {noun} {here} only", f"ask for {here}")
                raise Problem(Kind.NOT_FOUND, f"There is no such {noun} here.", [fault])


_Read = Callable[[], tuple[requests.InferRequest, tuple[requests.Asked, ...], inputs.Given]]


def _reader(served: Served, raw: bytes, length: int) -> _Read:
    """What makes a request of its bytes: here, or in a thread."""
    manifest, features = served.bundle.manifest, served.bundle.features

    def read() -> tuple[requests.InferRequest, tuple[requests.Asked, ...], inputs.Given]:
        asked = requests.parse(raw, length)
        return (
            asked,
            responses.asked(asked, manifest),
            inputs.rows(asked, features, max_rows=manifest.serving.max_rows),
        )

    return read


def _json(document: dict[str, object]) -> Response:
    return Response(encode(document), media_type="application/json")
