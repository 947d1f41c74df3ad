"""A request for predictions reaches its handler past the framework, and every other one through it."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from services.serving.shortcut import Shortcut


async def _here(request: Request) -> Response:
    return PlainTextResponse("past it " + (await request.body()).decode())


async def _there(request: Request) -> Response:
    return PlainTextResponse("through it")


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/a", _there, methods=["GET", "POST"]), Route("/a/b", _there, methods=["POST"])])
    app.add_middleware(Shortcut, handlers={"/a": _here})
    return TestClient(app)


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("POST", "/a", "past it x"),
        ("POST", "/%61?q=1", "past it x"),
        ("GET", "/a", "through it"),
        ("POST", "/a/b", "through it"),
        ("POST", "/a/", "Not Found"),
        ("PUT", "/a", "Method Not Allowed"),
    ],
)
def test_a_post_to_the_path_alone_goes_past_the_framework(
    client: TestClient, method: str, path: str, told: str
) -> None:
    client.app.router.redirect_slashes = False  # type: ignore[attr-defined]
    assert client.request(method, path, content=b"x").text == told
