"""The judge's routes. `create` makes the application; `server` runs it, tests call it in process.

A wrong request is a 4xx problem document. Whatever else goes wrong is a 200 with an inconclusive verdict: Argo counts
any other answer as an error of the gate, and aborts after five.
"""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from services import body
from services.drift import refusals, report, requests
from services.drift.bench import Bench
from services.drift.entry import Entry, in_order
from services.drift.judgement import undecided
from services.drift.metrics import Metrics
from services.drift.shelf import Shelf
from services.logs import log
from services.problems import Fault, Kind, Problem, encode

# A request states some twenty short values.
MAX_BODY_BYTES = 64 * 2**10
_INDEX_REPORTS = 100
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_JSON = "application/json"
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create(
    bench: Bench,
    shelf: Shelf,
    metrics: Metrics,
    *,
    store_state: Callable[[], str],
    body_seconds: float,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """The application.

    Args:
        bench: makes the judgements.
        shelf: keeps what the reports show.
        store_state: one line on whether the capture log can be reached.
        body_seconds: longest time for a request's body.
        lifespan: what runs around it.
    """
    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_exception_handler(Problem, refusals.on_problem)
    app.add_exception_handler(HTTPException, refusals.on_http)
    app.add_exception_handler(Exception, refusals.on_failure)

    @app.post("/judge")
    async def judge(request: Request) -> Response:
        begun = time.perf_counter()
        try:
            raw = await body.read(request, max_bytes=MAX_BODY_BYTES, seconds=body_seconds)
            asked = requests.parse(body.parse(raw))
        except ValidationError as err:
            metrics.refused.inc()
            raise refusals.of_validation(err) from err
        except Problem:
            metrics.refused.inc()
            raise
        try:
            judgement = await bench.judge(asked)
            entry = Entry.of(asked, judgement, seconds=time.perf_counter() - begun)
            metrics.judged(entry.check, judgement, entry.seconds)
            answer = entry.answer() | await run_in_threadpool(_keep, shelf, metrics, entry)
            return _json(answer)
        except ClientDisconnect:
            raise
        except Exception as err:  # noqa: BLE001  (the last resort: never an error page, see above)
            log.error("answer failed", exc_info=True, extra={"check": asked.check})
            reason = f"the judge failed: {type(err).__name__}; see the judge's log"
            entry = Entry.of(asked, undecided(reason), seconds=time.perf_counter() - begun)
            return _json(entry.answer() | {"report": None})

    @app.get("/reports")
    async def reports(request: Request) -> Response:
        def read() -> str:
            found = [in_order(shelf.report(name)) for name in shelf.names()[:_INDEX_REPORTS]]
            return report.index([entries for entries in found if entries])

        return HTMLResponse(await run_in_threadpool(read), headers=_HEADERS)

    @app.get("/reports/{name}.json")
    async def told(request: Request, name: str) -> Response:
        entries = in_order(await run_in_threadpool(shelf.report, name))
        judgements = [entry.answer() | {"candidate_hash": entry.candidate_hash} for entry in entries]
        return Response(encode({"judgements": judgements}), 200 if entries else 404, headers=_HEADERS, media_type=_JSON)

    @app.get("/reports/{name}")
    async def one(request: Request, name: str) -> Response:
        entries = in_order(await run_in_threadpool(shelf.report, name))
        if not entries:
            return HTMLResponse(report.missing(name[:170]), 404, headers=_HEADERS)
        return HTMLResponse(await run_in_threadpool(report.page, entries), headers=_HEADERS)

    @app.get("/healthz")
    async def healthz(request: Request) -> Response:
        if bench.stuck:
            fault = Fault("judgement", "runs", "a judgement ends within four times its limit", "restart this process")
            raise Problem(Kind.NOT_READY, "A judgement hangs.", [fault])
        return _json({"status": "alive"})

    @app.get("/ready")
    async def ready(request: Request) -> Response:
        # Ready although the store cannot be reached: the judge says so to who asks, and one that nobody can ask is
        # an error to Argo.
        return _json({"status": "ready", "capture_log": await run_in_threadpool(store_state)})

    @app.get("/metrics")
    async def exposition(request: Request) -> Response:
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return app


def _keep(shelf: Shelf, metrics: Metrics, entry: Entry) -> dict[str, object]:
    """Puts the entry on the shelf; the answer's members that say so."""
    try:
        shelf.keep(entry)
    except Exception as err:  # noqa: BLE001  (a full disk must not cost the verdict)
        metrics.reports_lost.inc()
        log.error("report not kept", extra={"report": entry.report, "reason": f"{type(err).__name__}: {err}"})
        warning = f"the report could not be kept ({type(err).__name__}): look at the judge's disk"
        return {"report": None, "warnings": [*entry.judgement.warnings, warning]}
    return {"report": f"/reports/{entry.report}"}


def _json(document: dict[str, object]) -> Response:
    return Response(encode(document), media_type=_JSON)
