"""Replayed traffic: what is planned from a seed, how it is split, and that it comes whether or not it is answered."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from pipelines.rehearsal.tally import Tally, percentile
from pipelines.rehearsal.traffic import Traffic, plan


def test_same_seed_plans_the_same_requests_and_another_does_not() -> None:
    def first(seed: int) -> list[object]:
        return list(itertools.islice(plan(seed, 30, 50.0), 200))

    assert first(3) == first(3)
    assert first(3) != first(4)


def test_each_row_is_sent_once_before_any_comes_again() -> None:
    rows = [shot.row for shot in itertools.islice(plan(1, 40, 10.0), 120)]
    for begin in (0, 40, 80):
        assert sorted(rows[begin : begin + 40]) == list(range(40))
    assert rows[:40] != rows[40:80]


def test_planned_rate_and_split_are_the_asked_ones() -> None:
    shots = list(itertools.islice(plan(7, 100, 200.0), 20_000))
    assert 20_000 / shots[-1].at == pytest.approx(200.0, rel=0.03)
    assert sum(shot.draw < 0.25 for shot in shots) / 20_000 == pytest.approx(0.25, abs=0.01)


class Counting(BaseHTTPRequestHandler):
    """Answers every row with 200 but those that say otherwise."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[object]] = set()

    def do_POST(self) -> None:
        Counting.connections.add(self.client_address)
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(row.get("sleep", 0.0))
        self.send_response(row.get("status", 200))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Counting.connections = set()
    served = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    served.daemon_threads = True
    thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()
    thread.join()


def sent(traffic: Traffic, seconds: float) -> None:
    traffic.start()
    time.sleep(seconds)
    traffic.stop()


def test_share_decides_who_gets_a_request_over_few_connections(server: str) -> None:
    traffic = Traffic([{}] * 10, {"stable": server, "candidate": server}, rate=300.0, seed=1)
    traffic.share(0.5)
    sent(traffic, 1.0)
    stable, candidate = traffic.tally.seen("stable"), traffic.tally.seen("candidate")
    assert stable.errors == candidate.errors == 0
    assert 220 < stable.requests + candidate.requests < 380
    assert 0.35 < candidate.requests / (stable.requests + candidate.requests) < 0.65
    assert len(Counting.connections) <= 16


def test_nothing_goes_to_the_candidate_without_a_share_or_while_it_is_no_endpoint(server: str) -> None:
    traffic = Traffic([{}], {"stable": server, "candidate": server}, rate=200.0, seed=1)
    traffic.share(1.0)
    traffic.reachable("candidate", False)
    sent(traffic, 0.4)
    assert traffic.tally.seen("candidate").requests == 0
    assert traffic.tally.seen("stable").requests > 30


def test_what_is_not_answered_with_success_is_an_error_and_slow_answers_hold_up_nobody_else(server: str) -> None:
    rows: list[dict[str, object]] = [{"status": 500}, {"status": 422}, {"sleep": 0.2}, {}]
    traffic = Traffic(rows, {"stable": server}, rate=60.0, seed=1)
    sent(traffic, 1.0)
    seen = traffic.tally.seen("stable")
    assert 0.3 < (seen.error_ratio or 0.0) < 0.7
    assert seen.requests > 35  # open loop: two seconds of sleep are within this second
    assert seen.p99_seconds is not None
    assert seen.p99_seconds >= 0.2


def test_server_that_is_gone_costs_errors_not_the_traffic(server: str) -> None:
    traffic = Traffic([{}], {"stable": "http://127.0.0.1:9"}, rate=100.0, seed=1)
    sent(traffic, 0.3)
    seen = traffic.tally.seen("stable")
    assert seen.requests == seen.errors > 5


def test_tally_tells_seconds_apart_and_has_no_ratio_without_requests() -> None:
    tally = Tally()
    for at, answered in ((0.2, True), (0.7, False), (1.1, True)):
        tally.add("stable", at, 0.010 * (1 + at), answered=answered)
    assert (tally.seen("stable", 0, 1).requests, tally.seen("stable", 0, 1).errors) == (2, 1)
    assert tally.seen("stable", 1, 2).error_ratio == 0.0
    assert tally.seen("candidate").error_ratio is None
    assert tally.seen("candidate").p99_seconds is None


def test_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([], 0.99) is None
    assert percentile([5.0], 0.99) == 5.0
    assert percentile([float(n) for n in range(1, 201)], 0.99) == 198.0
