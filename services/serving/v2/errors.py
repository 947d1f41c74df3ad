"""How a refusal is told: in the protocol's form, `{"error": "..."}`, under /v2, as a problem document elsewhere.

The one string holds what a problem document's `errors` would: where, what was received, the rule, the remedy.
"""

import re

from starlette.responses import Response

from services import problems
from services.problems import Fault, Problem, encode, shown

PREFIX = "/v2"
_HERE = re.compile(r"(/models/[^/]+)?/v2(/|$)")  # `several` has each model under a path of its own, too
# A client prints the whole string: enough to see the pattern.
_MAX_FAULTS = 5


def render(problem: Problem, *, path: str, request_id: str) -> Response:
    """The answer that carries a refusal of a request to `path`."""
    if not _HERE.match(path):
        return problems.render(problem, path=path, request_id=request_id)
    # What the protocol's descriptions list for a request that does not fit the model is 400; 422 is in none of them.
    status = 400 if problem.status == 422 else problem.status
    return Response(encode({"error": message(problem)}), status, dict(problem.headers), "application/json")


def message(problem: Problem) -> str:
    """The refusal in one string."""
    told = [told_fault(fault) for fault in problem.faults[:_MAX_FAULTS]]
    more = len(problem.faults) - len(told)
    return " ".join([problem.detail, *(f"[{text}]" for text in told), *([f"[and {more} more]"] if more > 0 else [])])


def told_fault(fault: Fault) -> str:
    """One thing that is wrong, in words."""
    where = "" if fault.row is None else f"row {fault.row}: "
    return f"{where}{str(fault.feature)[:80]}: got {shown(fault.value)!r}, {fault.rule}; {fault.remedy}"
