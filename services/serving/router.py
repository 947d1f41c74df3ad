"""Rows posted to /predict, given to the model that the value of one of their fields names. Part of `several`.

Each model is asked as if its rows had come to it alone: it counts, limits, captures and refuses them as ever. Where one
model answers all rows, its answer is the answer. Rows of several are split, and their predictions put back into order
(`asking`); `routed` then says of each which model answered it, under which request id and as which row, which is where
feedback about it is told: at `/models/<m>/feedback` (`places`).

The field itself is left out for a model that does not know it. A body that is no named rows is the main model's.
"""

import asyncio
import json
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from models.declaration import did_you_mean
from services import body
from services.problems import Fault, Kind, Problem
from services.serving import refusals
from services.serving.answer import INLINE_BYTES
from services.serving.asking import Part, ask, ask_each, named, together
from services.serving.beside import ByField
from services.serving.edge import Edge, request_id_of
from services.serving.metrics import Outcome
from services.serving.reply import Reply
from services.serving.state import State

Row = dict[str, object]


class Router:
    """Stands in place of /predict."""

    def __init__(self, by: ByField, state: State, apps: Mapping[str, ASGIApp]) -> None:
        """Around applications that stand.

        Args:
            state: the main model's.
            apps: by model.
        """
        self._by = by
        self._state = state
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = self._state
        request_id = request_id_of(scope)
        scope = named(scope, request_id)
        limits = [each.served.bundle.manifest.serving for each in state.everyone if each.served is not None]
        if not limits:
            await self._apps[state.name](scope, receive, send)  # says that nothing is ready
            return
        most = max(limit.max_body_bytes for limit in limits)
        try:
            raw = await body.read(Request(scope, receive), max_bytes=most, seconds=state.settings.body_seconds)
            # One deadline for whatever is to be done, of however many models.
            scope["state"] = {**scope.get("state", {}), "since": asyncio.get_running_loop().time()}
            inline = len(raw) <= INLINE_BYTES
            parts = self._parts(raw) if inline else await asyncio.to_thread(self._parts, raw)
        except ClientDisconnect:
            state.metrics.requests[Outcome.ABANDONED].inc()
        except Problem as problem:
            await Edge(_Refusing(problem), state)(scope, receive, send)
        else:
            if state.places is not None:
                state.places.remember(request_id, {part.model: part.rows for part in parts})
            if len(parts) == 1:
                await ask(parts[0], self._apps[parts[0].model], scope, receive, send)
                return
            answers = await ask_each(parts, self._apps, scope, receive, request_id)
            response = together(parts, answers, request_id, state.settings)
            await response(scope, receive, Reply(scope, send, request_id, state).send)

    def _parts(self, raw: bytes) -> list[Part]:
        """What is to be asked of whom, in the order in which the models first come.

        Raises:
            Problem: no JSON, or values of the field that no model answers.
        """
        document = body.parse(raw)
        rows = _rows(document)
        if rows is None:
            return [Part(self._state.name, (), raw)]
        places: dict[str, list[int]] = {}
        faults = []
        for index, row in enumerate(rows):
            model = self._model(row)
            if model is None:
                faults.append(self._fault(row, index))
            else:
                places.setdefault(model, []).append(index)
        if faults:
            detail = f"{len(faults)} values were refused; the first: {faults[0].feature}: {faults[0].rule}."
            raise Problem(Kind.ROWS_REFUSED, detail, faults[:100])
        found = []
        for model, indexes in places.items():
            whole = len(places) == 1
            plain = [self._plain(rows[index], model) for index in indexes]
            if whole and all(made is rows[index] for made, index in zip(plain, indexes, strict=True)):
                text = raw
            elif whole and rows[0] is document:
                text = _dumps(plain[0])
            else:
                text = _dumps({"instances": plain})
            found.append(Part(model, indexes, text))
        return found

    def _model(self, row: Row) -> str | None:
        if self._by.field not in row:
            return self._state.name
        value = row[self._by.field]
        return self._by.models.get(value) if isinstance(value, str) else None

    def _fault(self, row: Row, index: int) -> Fault:
        value, known = row[self._by.field], list(self._by.models)
        near = did_you_mean(value[:100], known) if isinstance(value, str) else None
        return Fault(self._by.field, value, f"must be one of {', '.join(known)}", near or "send one of them", index)

    def _plain(self, row: Row, model: str) -> Row:
        """The row without the field, where the model does not know it."""
        (served,) = [each.served for each in self._state.everyone if each.name == model]
        if served is None or self._by.field not in row or self._by.field in served.feature_names:
            return row
        return {name: value for name, value in row.items() if name != self._by.field}


class _Refusing:
    """An application that refuses."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await refusals.on_problem(Request(scope), self._problem)
        await answer(scope, receive, send)


def _rows(document: object) -> list[Row] | None:
    """The named rows that a document states, or None where it states none."""
    if not isinstance(document, dict):
        return None
    if "instances" not in document:
        return None if "features" in document else [document]
    rows = document["instances"]
    named = len(document) == 1 and isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)
    return rows if named else None


def _dumps(document: object) -> bytes:
    # A number beyond the range of doubles has become Infinity here, and is refused as that.
    try:
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()  # no longer than it came
    except UnicodeEncodeError:  # half a character, which only its escape can tell
        return json.dumps(document, separators=(",", ":")).encode("ascii")
