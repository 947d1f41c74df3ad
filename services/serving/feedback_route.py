"""`POST /feedback`: ground truth by request id, one or many in a body. `app.create` adds it."""

import asyncio
from collections import Counter
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services import body
from services.problems import Fault, Kind, Problem, encode
from services.serving.feedback import Feedback
from services.serving.metrics import FeedbackOutcome
from services.serving.state import State
from services.serving.truths import Truth, nowhere_else, truths_of

# Some 50 truths, that take half a millisecond to read; more would hold up predictions.
INLINE_BYTES = 4096


def routes(state: State, feedback: Feedback | None) -> list[Route]:
    """The route; without `feedback` it says that nobody would read what is told."""

    async def tell(request: Request) -> Response:
        try:
            truths, outcomes = await _take(request, state, feedback)
        except Problem as problem:
            unavailable = problem.status >= 500
            outcome = FeedbackOutcome.UNAVAILABLE if unavailable else FeedbackOutcome.REFUSED
            state.metrics.feedback[outcome].inc()
            raise
        told = [
            {"request_id": truth.request_id, "row": truth.row or 0, "outcome": outcome}
            for truth, outcome in zip(truths, outcomes, strict=True)
        ]
        settings = state.settings
        document = {
            "model": settings.model,
            "version": settings.version,
            "digest": settings.digest,
            "request_id": request.state.request_id,
            "accepted": len(told),
            "outcomes": dict(Counter(outcomes)),
            "feedback": told,
        }
        return Response(encode(document), 202, media_type="application/json")

    return [Route("/feedback", tell, methods=["POST"])]


async def _take(request: Request, state: State, feedback: Feedback | None) -> tuple[list[Truth], list[FeedbackOutcome]]:
    manifest = state.model().bundle.manifest
    if feedback is None:
        fault = Fault("server", "no capture log", "keeps truth in its capture log", "set MAINLINE_CAPTURE_URI")
        raise Problem(Kind.FEEDBACK_OFF, "This server has no capture log: nobody would read it.", [fault])
    raw = await body.read(request, max_bytes=manifest.serving.max_body_bytes, seconds=state.settings.body_seconds)
    elsewhere = partial(state.places.elsewhere, state.name) if state.places is not None else nowhere_else

    def truths_in() -> list[Truth]:
        return truths_of(body.parse(raw), manifest, elsewhere)

    truths = truths_in() if len(raw) <= INLINE_BYTES else await asyncio.to_thread(truths_in)
    return truths, feedback.take(truths)
