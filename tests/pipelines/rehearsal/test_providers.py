"""Measuring over HTTP: what each kind of answer becomes, and that nothing a provider does is an exception."""

import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs

import pytest

from pipelines.rehearsal import providers
from pipelines.rehearsal.metric import Metric, Prometheus, Web

Answer = tuple[int, bytes]


class Provider(BaseHTTPRequestHandler):
    answer: ClassVar[Answer] = (200, b"")
    asked: ClassVar[dict[str, str]] = {}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        Provider.asked = {"path": self.path, "body": body, "type": self.headers.get("Content-Type", "")}
        status, text = Provider.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def provider() -> Iterator[Callable[[int, object], str]]:
    """Says what is answered; gives the address."""
    served = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    def answering(status: int, document: object) -> str:
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        Provider.answer = (status, text)
        return f"http://127.0.0.1:{served.server_port}"

    yield answering
    served.shutdown()
    served.server_close()
    thread.join()


def vector(*values: str) -> dict[str, object]:
    result = [{"metric": {}, "value": [1.0, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def prometheus(address: str, query: str = "up") -> Metric:
    return Metric(name="m", template="t", provider=Prometheus(address=address, query=query))


def web(url: str, path: str = "{$.verdict}") -> Metric:
    asked = Web(url=url, method="POST", body='{"check": "inputs"}', json_path=path)
    return Metric(name="m", template="t", provider=replace(asked, headers=(("Content-Type", "application/json"),)))


def test_query_goes_to_the_api_and_a_vector_comes_back_in_order(provider: Callable[[int, object], str]) -> None:
    measured, _ = providers.measure(prometheus(provider(200, vector("1.5", "NaN", "+Inf")), 'up{a="b+c"}'))
    assert isinstance(measured.value, tuple)
    first, second, third = measured.value
    assert (first, math.isnan(second), third) == (1.5, True, math.inf)
    assert Provider.asked["path"] == "/api/v1/query"
    assert parse_qs(Provider.asked["body"])["query"] == ['up{a="b+c"}']


@pytest.mark.parametrize(
    ("status", "document", "said"),
    [
        (200, vector(), ""),
        (400, {"status": "error", "error": "parse error"}, "parse error"),
        (503, b"starting", "Expecting value"),
        (200, b"<html>", "Expecting value"),
    ],
    ids=["empty", "refused", "no JSON", "a page"],
)
def test_prometheus_that_has_no_value_says_why(
    provider: Callable[[int, object], str], status: int, document: object, said: str
) -> None:
    measured, _ = providers.measure(prometheus(provider(status, document)))
    assert said in measured.error
    assert bool(measured.error) == bool(said)


def test_judge_is_asked_with_its_body_and_tells_reason_and_report(
    provider: Callable[[int, object], str],
) -> None:
    document = {"verdict": "fail", "reason": "bmi moved", "report": "/reports/diabetes-2", "check": "inputs"}
    url = provider(200, document)
    measured, whole = providers.measure(web(f"{url}/judge"))
    assert (measured.value, measured.detail) == ("fail", "bmi moved")
    assert measured.link == f"{url}/reports/diabetes-2"
    assert whole == document
    assert Provider.asked == {"path": "/judge", "body": '{"check": "inputs"}', "type": "application/json"}


@pytest.mark.parametrize(
    ("status", "document", "said"),
    [
        (500, {"verdict": "pass"}, "non 2xx response code: 500"),
        (200, {"other": 1}, "verdict is not found"),
    ],
    ids=["500", "path not found"],
)
def test_judge_that_does_not_answer_is_an_error(
    provider: Callable[[int, object], str], status: int, document: object, said: str
) -> None:
    measured, _ = providers.measure(web(provider(status, document)))
    assert said in measured.error


def test_answer_without_json_is_marked(provider: Callable[[int, object], str]) -> None:
    measured, whole = providers.measure(web(provider(200, b"ok")))
    assert (measured.unread, measured.error, whole) == (True, "", {})


@pytest.mark.parametrize("metric", [prometheus("http://127.0.0.1:9"), web("http://127.0.0.1:9/judge")])
def test_nobody_there_is_an_error_that_names_the_address(metric: Metric) -> None:
    measured, _ = providers.measure(metric)
    assert "127.0.0.1:9" in measured.error
    assert "refused" in measured.error
