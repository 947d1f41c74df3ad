"""`POST /explain`: what each feature contributed to the answer. `app.create` adds it.

In a thread, and never more than a few at once: a caller beyond them is asked to come back, none waits in line.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services import body
from services.problems import Fault, Kind, Problem, encode, warnings
from services.serving.answer import Answer
from services.serving.explain import MAX_ROWS, explanations
from services.serving.loader import Served
from services.serving.rows import rows_of
from services.serving.state import State

# A pod has one core: two explanations leave a third of it to predictions.
AT_ONCE = 2


def routes(state: State) -> list[Route]:
    """The route."""
    n_running = 0

    async def explain(request: Request) -> Response:
        nonlocal n_running
        served = state.model()
        asked = _asked(request)
        limits = served.bundle.manifest.serving
        raw = await body.read(request, max_bytes=limits.max_body_bytes, seconds=state.settings.body_seconds)
        if n_running >= AT_ONCE:
            fault = Fault("server", f"{n_running} explanations", f"at most {AT_ONCE} at once", "try again in a second")
            raise Problem(Kind.BUSY, "Others are being explained.", [fault], {"Retry-After": "1"})
        n_running += 1
        try:
            explained, answered = await asyncio.to_thread(_explained, served, raw, asked)
        finally:
            n_running -= 1
        settings = state.settings
        document = {
            "model": settings.model,
            "version": settings.version,
            "digest": settings.digest,
            "request_id": request.state.request_id,
            "explanations": explained,
            "warnings": warnings(answered.warnings),
        }
        return Response(encode(document), media_type="application/json")

    return [Route("/explain", explain, methods=["POST"])]


def _explained(served: Served, raw: bytes, asked: str | None) -> tuple[list[dict[str, object]], Answer]:
    max_rows = min(MAX_ROWS, served.bundle.manifest.serving.max_rows)
    return explanations(served, rows_of(body.parse(raw), served.feature_names, max_rows=max_rows), asked)


def _asked(request: Request) -> str | None:
    """The class that the query names.

    Raises:
        Problem: the query says something else.
    """
    query = request.query_params.multi_items()
    strangers = [(name, value) for name, value in query if name != "class"] or query[1:]
    if strangers:
        name, value = strangers[0]
        fault = Fault(name, value, "a query may name one class and nothing else", "send ?class=... or no query")
        raise Problem(Kind.REQUEST_REFUSED, "The query is not understood.", [fault])
    return query[0][1] if query else None
