"""What the judge answers to what it refuses: problem documents that name the value, the rule and the remedy."""

import difflib
import uuid
from http import HTTPStatus
from typing import get_args

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.drift.entry import Check
from services.logs import log
from services.problems import Fault, Kind, Problem, render

ROUTES = ("/judge", "/reports", "/healthz", "/ready", "/metrics")
_MAX_FAULTS = 20


def of_validation(err: ValidationError) -> Problem:
    """The refusal of a request that breaks rules: one fault for each."""
    faults = [
        Fault(
            ".".join(str(part) for part in error["loc"] if part not in get_args(Check)) or "body",
            error.get("input"),
            error["msg"].removeprefix("Value error, "),
            "mend the analysis template, or the gates it is filled from",
        )
        for error in err.errors()[:_MAX_FAULTS]
    ]
    first = faults[0]
    detail = f"{err.error_count()} rules are broken; the first: {first.feature}: {first.rule}."
    return Problem(Kind.REQUEST_REFUSED, detail, faults, status=422)


async def on_problem(request: Request, problem: Exception) -> Response:
    """The answer to a refusal of ours, and its line in the log."""
    assert isinstance(problem, Problem)  # noqa: S101  (registered for this class alone)
    if problem.kind is not Kind.NOT_READY:
        log.info("request refused", extra={"kind": problem.kind, "status": problem.status, "detail": problem.detail})
    return _render(request, problem)


async def on_http(request: Request, error: Exception) -> Response:
    """The answer to what the framework refuses: a path or a method that does not exist."""
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for this class alone)
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        near = difflib.get_close_matches(path[:100], ROUTES, 1)
        remedy = f"did you mean {near[0]}?" if near else f"the paths are {', '.join(ROUTES)}"
        fault = Fault("path", path, "must be a path of this server", remedy)
        return _render(request, Problem(Kind.NOT_FOUND, "No such path.", [fault]))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = (error.headers or {}).get("Allow", "")
        fault = Fault("method", request.method, f"{path} takes {allow}", f"send {allow}")
        return _render(request, Problem(Kind.METHOD_NOT_ALLOWED, f"{path} takes {allow}.", [fault], {"Allow": allow}))
    problem = Problem(Kind.REQUEST_REFUSED, str(error.detail), [], error.headers or {}, error.status_code)
    return _render(request, problem)


async def on_failure(request: Request, error: Exception) -> Response:
    """The answer where a page or a probe failed; never to a request for a judgement that was understood."""
    log.error("request failed", extra={"path": request.url.path[:100], "reason": type(error).__name__})
    return _render(request, Problem(Kind.INTERNAL, "The failure is in the judge's log."))


def _render(request: Request, problem: Problem) -> Response:
    # The judge has no page that explains kinds of problems: its documents explain themselves.
    return render(problem, path=request.url.path, request_id=uuid.uuid4().hex, explained="")
