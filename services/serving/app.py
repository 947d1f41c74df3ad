"""The routes. `create` makes the application around a state; `__main__` runs it, tests call it in process.

Plain rows to /predict are answered before it (`hot`): what stands here, or is put around it, sees all other requests.

Starlette alone: of FastAPI, only its router was used, since features come from the bundle and not from signatures. Its
import took 0.23 s of a processor beyond Starlette's, where all of a server's start has to take less than 0.5 s.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from services import body
from services.problems import Problem, encode, warnings
from services.replayed import is_replayed
from services.serving import docs, explain_route, feedback_route, refusals, schema, schema_routed, several
from services.serving.all_or_none import agreed
from services.serving.answer import Answer, answer
from services.serving.capture import Capture
from services.serving.edge import Edge
from services.serving.exposition import exposition
from services.serving.feedback import Feedback
from services.serving.named import named_predictions
from services.serving.shortcut import Shortcut
from services.serving.state import State
from services.serving.v2.errors import PREFIX
from services.serving.v2.routes import Protocol

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def create(
    state: State,
    *,
    lifespan: Lifespan | None = None,
    capture: Capture | None = None,
    feedback: Feedback | None = None,
) -> Starlette:
    """The application. It answers at once: /ready and /predict refuse until `state.served` is there.

    Args:
        state: what the routes read.
        lifespan: what runs around it: loading at the start, flushing at the end.
        capture: receives answered requests, the judge's own apart; None where nothing is captured.
        feedback: remembers the same requests, and takes what is true of them; None where nothing is captured.
    """
    version = state.settings.version
    identity = {"model": state.settings.model, "version": version, "digest": state.settings.digest}
    route = state.settings.route

    async def healthz(request: Request) -> Response:
        return _json({"status": "alive"})

    async def ready(request: Request) -> Response:
        state.all_ready()
        return _json({"status": "ready", **identity})

    async def metadata(request: Request) -> Response:
        settings = state.settings
        bundle = state.model().bundle
        return _json(schema.metadata(bundle, version=version, uri=settings.uri, pods=settings.pod_template_hash))

    async def predict(request: Request) -> Response:
        served = state.model()
        limits = served.bundle.manifest.serving
        raw = await body.read(request, max_bytes=limits.max_body_bytes, seconds=state.settings.body_seconds)
        answered = await answer(served, raw, state.rows)
        await agreed(request)
        request_id = request.state.request_id
        if not is_replayed(request_id):
            state.metrics.rows.inc(len(answered.rows))
            if capture is not None:
                _captured(capture, request_id, answered, raw, served.bundle.manifest.classes)
            if feedback is not None:
                feedback.remember_rows(request_id, answered.outputs)
        told = {"predictions": answered.predictions, "warnings": warnings(answered.warnings)}
        return Response(_dumps({**identity, "request_id": request_id, **told}), media_type="application/json")

    async def metrics(request: Request) -> Response:
        for each in state.everyone:
            each.metrics.ready.set(each.served is not None and not each.draining)
        found = exposition([each.metrics.registry for each in state.everyone])
        return Response(found, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def openapi(request: Request) -> Response:
        at = request.scope.get("root_path", "")
        document = schema.openapi(state.model().bundle, version=version, at=at)
        if route is not None and not at:
            standing = {each.name: each.served.bundle for each in state.everyone if each.served is not None}
            document = schema_routed.routed(document, route, standing)
        return _json(document)

    async def documentation(request: Request) -> Response:
        at = request.scope.get("root_path", "")
        return HTMLResponse(docs.page(state.model().bundle, version=version, at=at, by=None if at else route))

    protocol = Protocol(state, capture, feedback)
    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/ready", ready),
            Route("/metadata", metadata),
            Route("/predict", predict, methods=["POST"]),
            Route("/metrics", metrics),
            Route("/openapi.json", openapi),
            Route("/docs", documentation),
            *protocol.routes(),
            *feedback_route.routes(state, feedback),
            *explain_route.routes(state),
            *several.routes(state),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    handlers = {"/predict": predict, f"{PREFIX}/models/{state.name}/infer": protocol.infer}
    app.add_middleware(Shortcut, handlers=handlers)
    app.add_middleware(Edge, state=state)  # the outermost
    app.add_exception_handler(Problem, refusals.on_problem)
    app.add_exception_handler(HTTPException, refusals.on_http)
    return app


def _captured(capture: Capture, request_id: str, answered: Answer, raw: bytes, classes: Sequence[str]) -> None:
    if isinstance(answered.rows, Sequence):
        capture.offer(request_id, answered.rows, answered.predictions, body_bytes=len(raw), body=raw)
    else:
        capture.offer_texts(request_id, answered.rows, named_predictions(classes, answered.outputs))


def _dumps(document: dict[str, object]) -> bytes:
    """Strict JSON of finite numbers, ten times as fast as `encode` writes it."""
    try:
        return orjson.dumps(document)
    except TypeError:  # a warning echoes a lone surrogate, of which there is no UTF-8
        return encode(document)


def _json(document: dict[str, object]) -> Response:
    return Response(encode(document), media_type="application/json")
