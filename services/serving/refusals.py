"""What the application answers to what it refuses: a problem document, for the framework's own refusals too."""

import difflib
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.logs import log
from services.problems import Fault, Kind, Problem
from services.serving.v2.errors import render

ROUTES = (
    "/healthz",
    "/ready",
    "/metadata",
    "/predict",
    "/explain",
    "/feedback",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/v2",
)


async def on_problem(request: Request, problem: Exception) -> Response:
    """The answer to a refusal of ours, and its line in the log: which rules, no value or name that a caller sent."""
    assert isinstance(problem, Problem)  # noqa: S101  (registered for this class alone)
    request_id = request.state.request_id
    if problem.kind is not Kind.NOT_READY:  # a probe asks every few seconds
        served = request.state.serving.served
        declared = frozenset(served.feature_names if served is not None else ())
        rules = sorted({_told(fault, declared) for fault in problem.faults})
        log.info(
            "request refused",
            extra={"request_id": request_id, "kind": problem.kind, "status": problem.status, "rules": rules[:10]},
        )
    return render(problem, path=request.url.path, request_id=request_id)


async def on_http(request: Request, error: Exception) -> Response:
    """The answer to what the framework refuses: a path or a method that does not exist."""
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for this class alone)
    path, method = request.url.path, request.method
    if error.status_code == HTTPStatus.NOT_FOUND:
        near = difflib.get_close_matches(path[:100], ROUTES, 1)
        remedy = f"did you mean {near[0]}?" if near else f"the paths are {', '.join(ROUTES)}"
        problem = Problem(
            Kind.NOT_FOUND, "No such path.", [Fault("path", path, "must be a path of this server", remedy)]
        )
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = (error.headers or {}).get("Allow", "")
        fault = Fault("method", method, f"{path} takes {allow}", f"send {allow}")
        problem = Problem(Kind.METHOD_NOT_ALLOWED, f"{path} takes {allow}.", [fault], {"Allow": allow})
    else:
        fault = Fault("request", error.status_code, str(error.detail), "see /docs")
        problem = Problem(Kind.REQUEST_REFUSED, str(error.detail), [fault], error.headers or {}, error.status_code)
    return await on_problem(request, problem)


def _told(fault: Fault, declared: frozenset[str]) -> str:
    rule = fault.rule[:200]
    return f"{fault.feature}: {rule}" if fault.feature in declared else rule
