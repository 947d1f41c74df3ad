"""The hot path answers as the framework's path does; its HTTP holds where requests come in pieces, late or never."""

import gzip
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.serving import hot
from services.serving.gathering import PATIENCE_SECONDS
from tests.services.serving.conftest import FEATURES, ROW, Made
from tests.services.serving.test_hot_rows import bodies
from tests.services.serving.up import Up, numbered, request

BODY = json.dumps(ROW).encode()
ODD_BODY = json.dumps(ROW | {"age": 130}).encode()  # out of its range: answered with a warning
ID = b"X-Request-Id: mine"


@pytest.fixture(scope="module")
def up(regression: Made) -> Iterator[Up]:
    made = Up(regression)
    yield made
    made.end()


@pytest.fixture(scope="module")
def slow(regression: Made) -> Iterator[Up]:
    made = Up(regression, hot=False)
    yield made
    made.end()


@pytest.fixture
def fresh(regression: Made, request: pytest.FixtureRequest) -> Iterator[Up]:
    """One of the test's own, with the settings of its parameter."""
    made = Up(regression, **getattr(request, "param", {}))
    yield made
    made.end()


HOT = {
    "plain": request(BODY, ID),
    "in other words": request(json.dumps(dict(reversed(ROW.items())), indent=1).encode(), ID),
    "null": request(json.dumps(ROW | {"street": None}).encode(), ID),
    "names in any case": request(BODY, b"x-rEQUEST-iD: mine"),
    "more headers": request(
        BODY, ID, b"Accept: text/html", b"User-Agent: x", b"Traceparent: 00-1-2-01", b"Cookie: a=b"
    ),
    "empty header": request(BODY, ID, b"X-Empty:"),
    "keep-alive": request(BODY, ID, b"Connection: keep-alive"),
    "an id that is none": request(BODY, b"X-Request-Id: not an id"),
}


@pytest.mark.parametrize("asked", HOT.values(), ids=HOT)
def test_plain_row_is_answered_hot_as_the_framework_does(up: Up, slow: Up, asked: bytes) -> None:
    before = up.taken
    (mine,), (theirs,) = up.ask(asked), slow.ask(asked)
    assert up.taken == before + 1
    if b"mine" in asked:
        assert list(mine.headers.items())[1:] == list(theirs.headers.items())[1:], "all but the date"
        assert mine.lasting == theirs.lasting
    else:
        assert re.fullmatch("[0-9a-f]{32}", mine.headers["x-request-id"])
        new = json.loads(mine.body) | {"request_id": ""}
        assert new == json.loads(theirs.body) | {"request_id": ""}
        assert set(mine.headers) == set(theirs.headers)


def test_classification_is_answered_hot_as_the_framework_does(classification: Made) -> None:
    mine, theirs = Up(classification), Up(classification, hot=False)
    try:
        assert mine.ask(request(BODY, ID))[0].lasting == theirs.ask(request(BODY, ID))[0].lasting
        assert mine.taken == 1
    finally:
        mine.end()
        theirs.end()


def _predict(line: bytes) -> bytes:
    return request(BODY, ID, line=line)


CHUNKED = request(None, ID, b"Transfer-Encoding: chunked") + b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (
    BODY[:5],
    len(BODY) - 5,
    BODY[5:],
)
FRAMEWORK = {
    "GET": request(None, ID, line=b"GET /predict HTTP/1.1"),
    "PUT": _predict(b"PUT /predict HTTP/1.1"),
    "OPTIONS": request(None, ID, line=b"OPTIONS * HTTP/1.1"),
    "a query": _predict(b"POST /predict?x=1 HTTP/1.1"),
    "a fragment": _predict(b"POST /predict#x HTTP/1.1"),
    "percent": _predict(b"POST /%70redict HTTP/1.1"),
    "absolute": _predict(b"POST http://here/predict HTTP/1.1"),
    "another path": _predict(b"POST /predict/ HTTP/1.1"),
    "two slashes": _predict(b"POST //predict HTTP/1.1"),
    "HTTP/1.0": _predict(b"POST /predict HTTP/1.0"),
    "HTTP/1.0 kept": request(BODY, ID, b"Connection: keep-alive", line=b"POST /predict HTTP/1.0"),
    "close": request(BODY, ID, b"Connection: close"),
    "chunked": CHUNKED,
    "no type": request(BODY, ID, kind=None),
    "another type": request(BODY, ID, kind=b"text/plain"),
    "a charset": request(BODY, ID, kind=b"application/json; charset=utf-8"),
    "another charset": request(BODY, ID, kind=b"application/json; charset=latin-1"),
    "two types": request(BODY, ID, b"Content-Type: text/plain"),
    "packed": request(gzip.compress(BODY, mtime=0), ID, b"Content-Encoding: gzip"),
    "no body": request(b"", ID),
    "no length": request(None, ID),
    "too large": request(b" " * 20_001, ID),
    "cut short": request(BODY[:-1], ID),
    "twice": request(BODY[:-1] + b', "age": 1}', ID),
    "unknown": request(BODY[:-1] + b', "x": 1}', ID),
    "a warning": request(ODD_BODY, ID),
    "refused": request(json.dumps(ROW | {"rooms": 99}).encode(), ID),
    "not UTF-8": request(b"\xff", ID),
    "rows": request(json.dumps({"instances": [ROW] * 3}).encode(), ID),
    "by position": request(json.dumps({"features": list(ROW.values())}).encode(), ID),
    "two ids": request(BODY, ID, b"X-Request-Id: yours"),
    "a judge's id": request(BODY, b"X-Request-Id: replay-1"),
    "many rows": request(json.dumps({"instances": [ROW] * 100}).encode(), ID),
    "too many rows": request(json.dumps({"instances": [ROW] * 101}).encode(), ID),
    "many rows, one refused": request(json.dumps({"instances": [ROW] * 99 + [ROW | {"rooms": 99}]}).encode(), ID),
    "many rows, one odd": request(json.dumps({"instances": [ROW] * 99 + [ROW | {"age": 10**25}]}).encode(), ID),
    "another route": request(None, ID, line=b"GET /healthz HTTP/1.1"),
}


@pytest.mark.parametrize("asked", FRAMEWORK.values(), ids=FRAMEWORK)
def test_everything_else_is_the_frameworks(up: Up, slow: Up, asked: bytes) -> None:
    before = up.taken
    assert [told.lasting for told in up.ask(asked)] == [told.lasting for told in slow.ask(asked)]
    assert up.taken == before


@pytest.mark.parametrize("path", [b"/healthz", b"/predict", b"/nowhere"])
def test_head_has_no_body(up: Up, path: bytes) -> None:
    with up.connect() as caller:
        caller.send(request(None, line=b"HEAD %b HTTP/1.1" % path) + request(BODY, ID))
        (first,) = caller.answers(1, head=True)
        (second,) = caller.answers(1)
    assert (first.status, second.status) == (405 if path == b"/predict" else 404 if path == b"/nowhere" else 200, 200)


BAD = {
    "no HTTP": b"hello\r\n\r\n",
    "two lengths": request(BODY, b"Content-Length: 3"),
    "length and chunked": request(BODY, b"Transfer-Encoding: chunked"),
    "negative length": request(BODY, length=-1),
    "a zero byte": request(BODY, b"X: a\0b"),
    "folded header": request(BODY, b"X: a\r\n b"),
    "space before colon": request(BODY, b"X : a"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bad chunk": request(None, b"Transfer-Encoding: chunked") + b"x\r\n",
}


@pytest.mark.parametrize("asked", BAD.values(), ids=BAD)
def test_what_is_no_request_is_refused_and_its_connection_closed(up: Up, asked: bytes) -> None:
    with up.connect() as caller:
        caller.send(asked)
        (told,) = caller.answers(1)
        assert caller.rest() == b""
    assert (told.status, told.headers["connection"]) == (400, "close")
    assert told.headers["content-type"] == "application/problem+json"
    assert json.loads(told.body)["request_id"] == told.headers["x-request-id"]
    assert told.headers["mainline-digest"].startswith("sha256:")


def test_what_is_no_request_waits_for_the_answers_before_it(up: Up) -> None:
    told = up.ask(numbered([BODY, ODD_BODY]) + b"hello\r\n\r\n", n=9)
    assert [(each.status, each.headers["x-request-id"]) for each in told] == [(200, "n0"), (200, "n1")]
    told = up.ask(numbered([BODY]) + b"hello\r\n\r\n", n=9)
    assert [each.status for each in told] == [200, 400]


def test_requests_of_one_segment_are_answered_in_order(up: Up) -> None:
    asked = [BODY, BODY, ODD_BODY, BODY, b"{", BODY, BODY, ODD_BODY, ODD_BODY, BODY] * 6
    with up.connect() as caller:
        caller.send(numbered(asked))
        told = caller.answers(len(asked))
    assert [each.headers["x-request-id"] for each in told] == [f"n{number}" for number in range(len(asked))]
    expected = [400 if body == b"{" else 200 for body in asked]
    assert [each.status for each in told] == expected
    assert [bool(json.loads(each.body)["warnings"]) for each in told if each.status == 200] == [
        body == ODD_BODY for body in asked if body != b"{"
    ]


def test_request_split_anywhere_is_answered(up: Up) -> None:
    asked = request(BODY, ID)
    with up.connect() as caller:
        for at in range(1, len(asked)):
            caller.send(asked[:at], asked[at:], pause=0.001)
            assert caller.answers(1)[0].status == 200, at


def test_request_byte_by_byte_is_answered(up: Up) -> None:
    (told,) = up.ask(*(bytes([byte]) for byte in request(BODY, ID)))
    assert told.status == 200


def test_requests_cut_anywhere_are_answered_in_order(up: Up) -> None:
    stream = numbered([BODY, ODD_BODY, BODY, BODY])
    rng = np.random.default_rng(0)
    for _ in range(15):
        cuts = [0, *sorted(rng.integers(0, len(stream), 3).tolist()), len(stream)]
        told = up.ask(*(stream[start:end] for start, end in pairwise(cuts)), n=4)
        assert [each.headers["x-request-id"] for each in told] == ["n0", "n1", "n2", "n3"]


@pytest.mark.parametrize("asked", [request(BODY, b"Expect: 100-continue"), request(BODY, b"EXPECT: 100-Continue")])
def test_caller_that_expects_is_told_to_continue(up: Up, asked: bytes) -> None:
    head, _, body = asked.partition(b"\r\n\r\n")
    with up.connect() as caller:
        caller.send(head + b"\r\n\r\n")
        assert caller.answers(1)[0].status == 100
        caller.send(body)
        assert caller.answers(1)[0].status == 200


def test_body_that_comes_late_is_waited_for(up: Up) -> None:
    asked = request(BODY, ID)
    with up.connect() as caller:
        caller.send(asked[:-10], asked[-10:], pause=2 * PATIENCE_SECONDS)
        assert caller.answers(1)[0].status == 200
        caller.send(asked[:-10], asked[-10:] + asked, pause=2 * PATIENCE_SECONDS)
        assert [told.status for told in caller.answers(2)] == [200, 200]


@pytest.mark.parametrize("fresh", [{"body_seconds": 0.3}], indirect=True)
@pytest.mark.parametrize("at", [1, 10, 60, -5])
def test_head_or_body_that_never_ends_is_refused(fresh: Up, at: int) -> None:
    with fresh.connect() as caller:
        caller.send(request(BODY, ID)[:at])
        begun = time.monotonic()
        (told,) = caller.answers(1)
        assert caller.rest() == b""
    assert (told.status, told.headers["connection"]) == (408, "close")
    assert 0.2 < time.monotonic() - begun < 5
    fresh.settled()


@pytest.mark.parametrize("fresh", [{"keep_alive": 1}], indirect=True)
@pytest.mark.parametrize("asked", [b"", request(BODY, ID), request(ODD_BODY, ID), b"\r\n"])
def test_idle_connection_is_closed(fresh: Up, asked: bytes) -> None:
    with fresh.connect() as caller:
        caller.send(asked)
        begun = time.monotonic()
        caller.rest()
    assert 0.5 < time.monotonic() - begun < 8


LARGE = {
    "a long line": [b"X: " + b"x" * 100_000],
    "many bytes": [b"X-%d: " % number + b"x" * 1_000 for number in range(60)],
    "many lines": [b"X-%d: x" % number for number in range(hot.MOST_HEADERS)],
}


@pytest.mark.parametrize("headers", LARGE.values(), ids=LARGE)
def test_large_head_is_refused(up: Up, headers: list[bytes]) -> None:
    with up.connect() as caller:
        caller.send(request(BODY, *headers))
        (told,) = caller.answers(1)
    assert (told.status, told.headers["connection"]) == (431, "close")


@pytest.mark.parametrize("start", [b"POST /", b"POST /predict HTTP/1.1\r\nX: "], ids=["url", "header"])
def test_head_without_an_end_is_refused_while_it_comes(up: Up, start: bytes) -> None:
    with up.connect() as caller:
        caller.send(start, *[b"x" * 10_000] * 6)
        (told,) = caller.answers(1)
    assert told.status == 431


@pytest.mark.parametrize("path", [b"/predict", b"/predict?x=1"])
@pytest.mark.parametrize("nested", ["[]", '{"a":}'])
def test_value_nested_to_any_depth_is_refused(up: Up, path: bytes, nested: str) -> None:
    start, end = nested[:-1], nested[-1]
    with up.connect() as caller:
        for depth in [*range(900, 1_020), 3_000]:
            value = start * depth + "1" + end * depth
            body = b'{"age":%b,%b' % (value.encode(), BODY.partition(b",")[2])
            caller.send(request(body, line=b"POST %b HTTP/1.1" % path))
            (told,) = caller.answers(1)
            assert told.status in (400, 422), depth


OFFERS = [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAEAAEAAAAIAAAAB"]


@pytest.mark.parametrize("body", [BODY, request(None, line=b"GET /healthz HTTP/1.1"), b""], ids=["row", "request", ""])
def test_offer_of_another_protocol_is_passed_over(up: Up, body: bytes) -> None:
    asked, plain = request(body, *OFFERS, ID), request(body, OFFERS[0], ID)
    expected = [told.lasting for told in up.ask(plain + request(BODY, ID), n=2)]
    head = asked.index(b"\r\n\r\n") + 4
    for cut in (0, head - 2, head, head + len(body) // 2):
        told = up.ask(asked[:cut], asked[cut:] + request(BODY, ID), n=2)
        assert [each.lasting for each in told] == expected, cut


def test_offer_of_another_protocol_with_a_chunked_body_is_passed_over(up: Up) -> None:
    chunked = CHUNKED.replace(b"Host: here", b"\r\n".join([b"Host: here", *OFFERS]))
    assert [each.status for each in up.ask(chunked * 3, n=3)] == [200] * 3


def test_many_offers_of_one_segment_are_passed_over(up: Up) -> None:
    asked = request(None, OFFERS[0], OFFERS[1], line=b"GET /healthz HTTP/1.1", kind=None)
    told = up.ask(asked * 2_000, n=2_000)
    assert [each.status for each in told] == [200] * 2_000


def test_trailers_are_no_headers(up: Up) -> None:
    trailers = b"0\r\nContent-Type: application/json\r\nX-Request-Id: trailer\r\n\r\n"
    asked = request(None, ID, b"Transfer-Encoding: chunked", kind=None) + b"%x\r\n%b\r\n" % (len(BODY), BODY) + trailers
    (told,) = up.ask(asked)
    assert (told.status, told.headers["x-request-id"]) == (415, "mine")


@pytest.mark.parametrize("line", [b"POST /predict HTTP/1.1", b"GET /healthz HTTP/1.1"])
@pytest.mark.parametrize(
    "rest",
    [b"0\r\nX: ", b"0\r\n" + b"X: y\r\n" * 200 + b"Y: ", b"2\r\n{}\r\n1;x="],
    ids=["a trailer", "trailers", "an extension"],
)
def test_line_without_an_end_in_a_body_is_refused_while_it_comes(up: Up, line: bytes, rest: bytes) -> None:
    with up.connect() as caller:
        caller.send(request(None, b"Transfer-Encoding: chunked", line=line) + rest, *[b"x" * 10_000] * 6)
        told = caller.answers(9)
        assert caller.rest() == b""
    assert told[-1].status == 431


def test_chunks_in_many_segments_are_no_endless_line(up: Up) -> None:
    pieces = [request(None, ID, b"Transfer-Encoding: chunked"), b"%x\r\n" % len(BODY), BODY, b"\r\n0\r\n", b"\r\n"]
    (told,) = up.ask(*pieces)
    assert told.status == 200


def test_caller_that_breaks_off_pipelined_requests_is_no_failure(up: Up) -> None:
    many = request(json.dumps({"instances": [ROW] * 60}).encode(), ID)
    failed = up.count("failed")
    for _ in range(10):
        caller = up.connect()
        caller.send(many + request(BODY, ID) + many)
        caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.socket.close()
    up.settled()
    assert up.count("failed") == failed


def test_head_within_the_limits_is_answered(up: Up) -> None:
    headers = [b"X-%d: " % number + b"x" * 300 for number in range(90)]
    assert up.ask(request(BODY, *headers))[0].status == 200


def test_half_closed_connection_is_answered(up: Up) -> None:
    with up.connect() as caller:
        caller.send(numbered([BODY] * 3))
        caller.socket.shutdown(socket.SHUT_WR)
        assert [told.status for told in caller.answers(9)] == [200] * 3


def test_callers_that_break_off_leave_nothing_behind(up: Up) -> None:
    asked = numbered([BODY, ODD_BODY, BODY])
    for at in range(1, len(asked), 23):
        caller = up.connect()
        caller.send(asked[:at])
        caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.socket.close()  # resets the connection
    assert up.ask(request(BODY))[0].status == 200
    up.settled()


def test_caller_that_does_not_read_is_not_read(fresh: Up) -> None:
    n = 4_000
    with fresh.connect() as caller:
        caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sender = threading.Thread(target=caller.send, args=(numbered([BODY] * n),), daemon=True)
        sender.start()
        largest = 0
        for _ in range(100):
            time.sleep(0.01)
            connections: list[Any] = list(fresh.server.server_state.connections)
            largest = max([largest, *(each.transport.get_write_buffer_size() for each in connections)])
        told = caller.answers(n)
        sender.join(5)
    assert [each.headers["x-request-id"] for each in told] == [f"n{number}" for number in range(n)]
    # A segment is at most 256 KiB, and its answers about twice that.
    assert largest < 1_500_000


def test_hot_answers_are_counted_and_timed(fresh: Up) -> None:
    fresh.ask(numbered([BODY] * 10), n=10)
    fresh.ask(numbered([ODD_BODY, b"{"]), n=2)
    fresh.settled()
    assert (fresh.count("answered"), fresh.count("refused"), fresh.taken) == (11, 1, 10)
    registry, labels = fresh.state.metrics.registry, {"model": "house", "model_version": "7"}
    assert registry.get_sample_value("mainline_predicted_rows_total", labels) == 11
    assert registry.get_sample_value("mainline_request_duration_seconds_count", labels) == 11
    assert registry.get_sample_value("mainline_requests_in_flight", labels) == 0


def test_hot_answers_are_captured_as_the_frameworks_are(regression: Made) -> None:
    written: dict[bool, list[bytes]] = {True: [], False: []}
    lines: dict[bool, list[Any]] = {}
    for is_hot, parts in written.items():
        made = Up(regression, hot=is_hot, write=partial(_keep, parts))
        made.ask(request(BODY, ID), n=1)
        made.ask(request(json.dumps(ROW, indent=2).encode(), ID), n=1)
        assert made.capture is not None
        made.end()  # an answer is out before it is captured
        made.capture.flush()
        assert made.taken == 2 * is_hot
        lines[is_hot] = [json.loads(line) for line in gzip.decompress(parts[0]).splitlines()]
    for line in [*lines[True], *lines[False]]:
        line.pop("time", None)
    assert lines[True] == lines[False]
    assert len(lines[True]) == 3


def _keep(parts: list[bytes], uri: str, data: bytes) -> None:
    parts.append(data)


def test_while_draining_every_answer_asks_to_close(fresh: Up) -> None:
    fresh.state.drain()
    with fresh.connect() as caller:
        caller.send(request(BODY))
        assert caller.answers(1)[0].headers["connection"] == "close"
    assert fresh.taken == 0


@pytest.mark.parametrize("fresh", [{"queue_rows": 4}], indirect=True)
def test_rows_beyond_the_queue_are_refused(fresh: Up) -> None:
    told = fresh.ask(numbered([BODY] * 7), n=7)
    assert [each.status for each in told] == [200] * 7  # the first that does not fit has those before it answered
    fresh.state.rows.take(4)
    (busy,) = fresh.ask(request(BODY))
    assert (busy.status, busy.headers["retry-after"], json.loads(busy.body)["type"]) == (503, "1", "/docs#busy")
    fresh.state.rows.give_back(4)
    fresh.settled()
    assert fresh.count("unavailable") == 1


@pytest.mark.parametrize("fresh", [{"queue_rows": 200}], indirect=True)
def test_body_of_more_rows_than_are_answered_takes_no_more_room(fresh: Up) -> None:
    fresh.state.rows.take(100)  # and the model takes 100 in a request
    (told,) = fresh.ask(request(b'{"instances":[%b{}]}' % (b"{}," * 6_000), ID))
    assert told.status == 413, "as any body of too many rows"
    fresh.state.rows.give_back(100)
    fresh.settled()


@pytest.mark.parametrize("fresh", [{"request_seconds": 0.1}], indirect=True)
def test_request_that_waited_beyond_its_deadline_is_told_so(fresh: Up) -> None:
    assert fresh.state.served is not None
    predictor = fresh.state.served.predictor
    run = predictor.predict

    def slowly(matrix: Any) -> Any:
        time.sleep(0.2)
        return run(matrix)

    predictor.predict = slowly  # type: ignore[method-assign]
    told = fresh.ask(numbered([BODY] * 2), n=2)
    assert [(each.status, json.loads(each.body)["type"]) for each in told[:1]] == [(504, "/docs#no-answer-in-time")]
    fresh.settled()
    assert fresh.count("failed") >= 1
    assert fresh.count("answered") == 0


@pytest.mark.parametrize("what", ["raises", "nan"])
def test_model_that_fails_is_told_as_the_framework_tells_it(regression: Made, what: str) -> None:
    told = []
    for is_hot in (True, False):
        made = Up(regression, hot=is_hot)
        assert made.state.served is not None
        predictor = made.state.served.predictor
        run = predictor.predict

        def broken(matrix: Any, run: Any = run) -> Any:
            if what == "raises":
                raise RuntimeError("secret")
            return {name: np.where(matrix[:, 0] == 1.0, np.nan, values) for name, values in run(matrix).items()}

        predictor.predict = broken  # type: ignore[method-assign]
        stream = numbered([BODY, json.dumps(ROW | {"age": 1}).encode(), BODY])
        told.append([each.lasting for each in made.ask(stream, n=3)])
        made.settled()
        made.end()
    assert told[0] == told[1]
    assert [status for status, _, _ in told[0]] == ([500] * 3 if what == "raises" else [200, 500, 200])


HEADER = st.tuples(
    st.sampled_from(
        ["content-type", "content-length", "connection", "expect", "x-request-id", "transfer-encoding", "x"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12)
    | st.sampled_from(["close", "keep-alive", "100-continue", "chunked", "gzip", "application/json", "5"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies(FEATURES), headers=st.lists(HEADER, max_size=2), method=st.sampled_from(["POST", "POST", "PUT"]))
def test_fuzzed_request_gets_what_the_framework_answers(
    up: Up, slow: Up, body: bytes, headers: list[tuple[str, str]], method: str
) -> None:
    lines = [f"{name}: {value}".encode("latin-1") for name, value in headers]
    asked = request(body, b"X-Request-Id: f", *lines, b"Connection: close", line=f"{method} /predict HTTP/1.1".encode())
    mine, theirs = up.ask(asked, n=3), slow.ask(asked, n=3)
    final = [[told for told in each if told.status != 100] for each in (mine, theirs)]
    assert [told.status for told in final[0]] == [told.status for told in final[1]]
    assert all(told.status < 500 for told in mine)
    if final[1] and final[1][0].headers["content-type"] != "text/plain; charset=utf-8":
        assert [told.lasting for told in final[0]] == [told.lasting for told in final[1]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies(FEATURES))
def test_fuzzed_body_gets_what_the_framework_answers(up: Up, slow: Up, body: bytes) -> None:
    asked = request(body, ID)
    (mine,), (theirs,) = up.ask(asked), slow.ask(asked)
    assert mine.lasting == theirs.lasting
    assert mine.status < 500


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(min_size=1, max_size=60), at=st.integers(0, 200))
def test_noise_in_a_request_never_fails_the_server(up: Up, noise: bytes, at: int) -> None:
    asked = request(BODY, b"Connection: close")
    with up.connect() as caller:
        caller.send(asked[:at] + noise + asked[at + len(noise) :])
        caller.socket.shutdown(socket.SHUT_WR)
        told = caller.answers(9)
    assert all(each.status < 500 for each in told)
