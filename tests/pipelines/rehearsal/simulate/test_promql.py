"""The PromQL evaluator against a real Prometheus: the same samples, the same queries, the same answers."""

import math
import random
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.rehearsal.simulate.promql import QueryError, query
from pipelines.rehearsal.simulate.series import NAME, Database
from tests.pipelines.rehearsal.simulate.real import Ask, Known, assert_same, needs_prometheus, ours, serving

BASE = 1_700_000_000
LES = ("0.01", "0.05", "0.1", "0.25", "0.5", "+Inf")


def series_of(seed: int) -> list[Known]:
    """Counters with resets, gauges, histograms; scrapes with jitter, missed scrapes, targets that come and go."""
    chance = random.Random(seed)  # noqa: S311
    found: list[Known] = []
    for index, (role, pod) in enumerate((("aaa", "p1"), ("aaa", "p2"), ("bbb", "p3"), ("bbb", "p4"), ("ccc", "p5"))):
        labels = {"rollouts_pod_template_hash": role, "pod": pod}
        offset, start, end = chance.randrange(15_000), chance.choice((0, 0, 400)), chance.choice((900, 900, 500))
        times = [BASE * 1000 + 1000 * second + offset for second in range(start, end, 15)]
        times = [at + chance.randrange(-30, 30) for at in times if chance.random() > 0.1]
        rate = chance.choice((0.0, 0.1, 3.0, 40.0))
        for outcome, share in (("answered", 1.0), ("failed", 0.03), ("refused", 0.0)):
            count, points = 0.0, []
            for at in times:
                count = 0.0 if chance.random() < 0.03 else count + round(chance.random() * rate * share * 15)
                points.append((at, count))
            found.append(("requests_total", {**labels, "outcome": outcome}, points))
        counts = [0.0] * len(LES)
        buckets: list[list[tuple[int, float]]] = [[] for _ in LES]
        for at in times:
            for _ in range(int(rate * 15)):
                slot = min(int(chance.expovariate(0.7)), len(LES) - 1)
                for later in range(slot, len(LES)):
                    counts[later] += 1
            for slot, count in enumerate(counts):
                buckets[slot].append((at, count))
        found += [("seconds_bucket", {**labels, "le": le}, buckets[slot]) for slot, le in enumerate(LES)]
        memory = 8e7 + 1e6 * index
        level = [(at, memory := memory + chance.gauss(1e5 * index, 3e5)) for at in times]
        found.append(("memory_bytes", labels, level))
        found.append(("start_seconds", labels, [(at, float(BASE + (at % 3 if index == 1 else 0))) for at in times]))
        found.append(("up", labels, [(at, float(chance.random() > 0.2)) for at in times]))
    odd = [math.nan, 1.0, math.inf, 2.0, math.nan, -math.inf, 3.0]
    found.append(("odd", {"pod": "p1"}, [(BASE * 1000 + 60_000 * n, odd[n % 7]) for n in range(15)]))
    found.append(("odd", {"pod": "p3"}, [(BASE * 1000 + 60_000 * n, math.nan) for n in range(15)]))
    return found


QUERIES = (Path(__file__).parent / "queries.txt").read_text().splitlines()
REFUSED = ["max_over_time(rate(up[1m])[5m:15s])", "up @ 5", "sort(up)", "topk(1, up)", '{job="x"}', "up atan2 up"]


def database_of(found: list[Known]) -> Database:
    database = Database()
    for name, labels, points in found:
        series = database.series(name, labels)
        for at, value in points:
            series.append(at, value)
    return database


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with serving(tmp_path_factory.mktemp("prometheus"), series_of(7)) as ask:
        yield ask


@pytest.mark.slow
@needs_prometheus
@pytest.mark.parametrize("text", QUERIES)
def test_answers_what_prometheus_answers(prometheus: Ask, text: str) -> None:
    database = database_of(series_of(7))
    for second in (-10, 14.5, 60, 120.25, 333, 505, 730.5, 905, 1100, 1300):
        at = BASE + second
        assert_same(ours(database, text, at), prometheus(text, at), f"{text} at {second}")


@pytest.mark.parametrize("text", REFUSED)
def test_refuses_the_rest_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="not covered by the simulator"):
        query(Database(), text, BASE)


def test_what_is_no_promql_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no PromQL"):
        query(Database(), "rate(up)", BASE)


def test_a_staleness_marker_ends_a_series_at_once() -> None:
    database = Database()
    series = database.series("up", {"pod": "p1"})
    for second, value in ((0, 1.0), (15, 1.0), (30, None)):
        series.append((BASE + second) * 1000, value)
    assert query(database, "up", BASE + 20) == [({NAME: "up", "pod": "p1"}, 1.0)]
    assert query(database, "up", BASE + 31) == []
    assert query(database, "count_over_time(up[5m])", BASE + 31) == [({"pod": "p1"}, 2.0)]


def test_a_sample_is_seen_for_five_minutes() -> None:
    database = Database()
    database.series("up", {}).append(BASE * 1000, 1.0)
    assert query(database, "up", BASE + 300) != []
    assert query(database, "up", BASE + 300.001) == []


def test_two_series_for_one_are_an_error_as_in_prometheus() -> None:
    database = database_of(series_of(7))
    with pytest.raises(QueryError, match="many-to-many"):
        query(database, "up * on(rollouts_pod_template_hash) memory_bytes", BASE + 450)


def random_query(chance: random.Random, depth: int = 2) -> str:
    """Any vector or number of the subset."""
    labels = chance.choice(["", '{rollouts_pod_template_hash="aaa"}', '{pod=~"p[1-3]"}', '{pod!="p2"}'])
    name = chance.choice(["requests_total", "memory_bytes", "up", "start_seconds", "seconds_bucket", "odd"])
    if depth == 0:
        offset = chance.choice(["", "", " offset 45s"])
        function = chance.choice(
            ["", "rate", "increase", "changes", "deriv", "max_over_time", "count_over_time", "resets"]
        )
        span = chance.choice(["45s", "2m", "5m"])
        return f"{function}({name}{labels}[{span}]{offset})" if function else f"{name}{labels}{offset}"
    left, right = (random_query(chance, depth - 1) for _ in range(2))
    by = chance.choice(["pod", "rollouts_pod_template_hash", "pod, outcome"])
    return chance.choice([
        f"{chance.choice(['sum', 'max', 'min', 'avg', 'count'])} by ({by}) ({left})",
        f"sum by (pod) ({left}) {chance.choice(['+', '-', '*', '/', '>', '> bool'])} on(pod) max by (pod) ({right})",
        f"({left}) {chance.choice(['and', 'or', 'unless'])} on({by}) ({right})",
        f"({left}) {chance.choice(['>', '/', '-', '== bool'])} {chance.choice(['0', '3.5', '1e6'])}",
        f"clamp_min({left}, 2)",
    ])  # fmt: skip


@pytest.mark.slow
@needs_prometheus
def test_answers_random_queries_as_prometheus_does(prometheus: Ask) -> None:
    database, chance, compared = database_of(series_of(7)), random.Random(11), 0  # noqa: S311
    for _ in range(400):
        text, at = random_query(chance), BASE + chance.choice((100, 333.5, 505, 890))
        try:
            mine = ours(database, text, at)
        except QueryError:
            with pytest.raises(urllib.error.HTTPError):
                prometheus(text, at)
            continue
        assert_same(mine, prometheus(text, at), f"{text} at {at}")
        compared += 1
    assert compared > 300
