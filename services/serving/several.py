"""Several models in one server: which application a request goes to. `server` puts it around them where there are any.

Every model has an application of its own, the same as that of a server with this model alone (`app.create`), with its
own metrics, limits, logs and digest. Paths that name no model are the main one's; so are probes and metrics.

    /models                       all of them, how each is, and its memory
    /models/<m>/predict, ...      as `/predict` of a server of <m>; the main model too
    /v2/models/<m>/...            as the protocol has it

The hot path stands before this and knows the main model alone: rows to another go through its framework's path.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from models.declaration import did_you_mean
from services.logs import identity
from services.problems import Fault, Kind, Problem, encode
from services.serving.router import Router
from services.serving.state import State

# What a model has for itself; probes are the process's.
OWN = ("predict", "explain", "feedback", "metadata", "metrics", "docs", "openapi.json", "v2")


class Several:
    """The applications of one server, as one."""

    def __init__(self, state: State, apps: Mapping[str, ASGIApp]) -> None:
        """Around applications that stand.

        Args:
            state: the main model's.
            apps: by model, the main one's among them.
        """
        main = state.settings.model
        self._main = apps[main]
        self._apps = {each.name: _Known(apps[each.name], each) for each in state.everyone}
        by_field = state.settings.route
        self._router = None if by_field is None else Router(by_field, state, self._apps)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._main(scope, receive, send)
            return
        app, inner = self._chosen(scope)
        await app(inner, receive, send)

    def _chosen(self, scope: Scope) -> tuple[ASGIApp, Scope]:
        path = scope["path"]
        if self._router is not None and path == "/predict" and scope["method"] == "POST":
            return self._router, scope
        first, _, rest = path.removeprefix("/").partition("/")
        if first == "models":
            name, _, end = rest.partition("/")
            if name in self._apps and end.partition("/")[0] in OWN:
                return self._apps[name], {**scope, "root_path": f"/models/{name}"}
        elif path.startswith("/v2/models/"):
            name = path.removeprefix("/v2/models/").partition("/")[0]
            if name in self._apps:
                return self._apps[name], scope
        return self._main, scope


class _Known:
    """An application whose log lines carry its own model."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._identity = state.settings.identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        before = identity.set(self._identity)
        try:
            await self._app(scope, receive, send)
        finally:
            identity.reset(before)


def routes(state: State) -> list[Route]:
    """`/models`, and what is said of a model or a path that is not there; none in a server of one model."""

    async def models(request: Request) -> Response:
        document = {
            "main": state.name,
            "models": {each.name: _told(each) for each in state.everyone},
            "route": None if (route := state.settings.route) is None else {route.field: dict(route.models)},
        }
        return Response(encode(document), media_type="application/json")

    async def nothing(request: Request) -> Response:
        names = [each.name for each in state.everyone]
        name = request.path_params["model"]
        if name in names:
            rule, remedy = f"a model has {', '.join(OWN)}", "ask for one of them"
            raise Problem(Kind.NOT_FOUND, "No such path.", [Fault("path", request.url.path, rule, remedy)])
        remedy = did_you_mean(name, names) or "see /models"
        fault = Fault("model", name, f"this server has {', '.join(names)}", remedy)
        raise Problem(Kind.NOT_FOUND, "There is no such model here.", [fault])

    if not state.beside:
        return []
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [
        Route("/models", models),
        Route("/models/{model}", nothing, methods=every),
        Route("/models/{model}/{rest:path}", nothing, methods=every),
    ]


def _told(state: State) -> dict[str, object]:
    settings = state.settings
    phase = "ready" if state.served is not None else "failed" if state.failure else "loading"
    told: dict[str, object] = {"version": settings.version, "digest": settings.digest, "state": phase}
    if state.failure:
        told["reason"] = state.failure
    if state.memory_bytes is not None:
        told["memory_bytes"] = state.memory_bytes
    return told
