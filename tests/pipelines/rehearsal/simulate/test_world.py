"""Pods, traffic and captured rows of the simulated world."""

import numpy as np
import pytest

from pipelines.rehearsal.contract import Split
from pipelines.rehearsal.simulate.behaviour import Behaviour, latencies
from pipelines.rehearsal.simulate.fleet import Fleet
from pipelines.rehearsal.simulate.load import Load, Traffic
from pipelines.rehearsal.simulate.promql import query

BEGIN = 1_800_000_000.0


class Counted:
    """In place of the captured rows: only how many there were."""

    def __init__(self) -> None:
        self.rows = 0
        self.first_request: float | None = None

    def add(self, end: float, count: int) -> None:
        self.rows += count


def fleet(candidate: Behaviour, *, rate: float = 40.0, seed: int = 0) -> tuple[Fleet, dict[str, Counted]]:
    captured = {"stable": Counted(), "candidate": Counted()}
    made = Fleet(
        model="iris", hashes={"stable": "sss", "candidate": "ccc"}, captured=captured,  # type: ignore[arg-type]
        behaviours={"stable": Behaviour(), "candidate": candidate}, traffic=Traffic(rate, refused=0.0),
        begin=BEGIN, chance=np.random.default_rng(seed), skew=0.0,
    )  # fmt: skip
    made.split(Split(candidate_pods=0, stable_pods=3, share=0.0))
    made.until(BEGIN + 60)
    made.split(Split(candidate_pods=1, stable_pods=3, share=0.25))
    return made, captured


def number(made: Fleet, text: str) -> float:
    found = query(made.database, text, made.now)
    assert not isinstance(found, float)
    ((_, value),) = found
    return value


def test_traffic_is_split_as_told_and_counted_as_the_server_counts() -> None:
    made, captured = fleet(Behaviour(error_ratio=0.1))
    made.until(BEGIN + 660)
    ccc = 'rollouts_pod_template_hash="ccc"'
    all_of_them = number(made, f"sum(increase(mainline_requests_total{{{ccc}}}[5m]))")
    failed = number(made, f'sum(increase(mainline_requests_total{{{ccc},outcome="failed"}}[5m]))')
    assert failed / all_of_them == pytest.approx(0.1, abs=0.02)
    stable = number(made, 'sum(increase(mainline_requests_total{rollouts_pod_template_hash="sss"}[5m]))')
    assert all_of_them / (all_of_them + stable) == pytest.approx(0.25, abs=0.02)
    assert number(made, f"sum(mainline_captured_rows_total{{{ccc}}})") == pytest.approx(
        captured["candidate"].rows, rel=0.05
    )


def test_a_pod_gets_nothing_before_it_is_ready_and_everything_goes_on_without_it() -> None:
    made, captured = fleet(Behaviour(ready_seconds=float("inf")))
    made.until(BEGIN + 300)
    assert not made.available("candidate")
    assert captured["candidate"].rows == 0
    assert captured["stable"].rows > 8000


def test_a_crash_begins_the_counters_anew_and_changes_the_start() -> None:
    made, _ = fleet(Behaviour(seconds_between_crashes=60), seed=2)
    made.until(BEGIN + 660)
    starts = number(made, 'sum(changes(process_start_time_seconds{rollouts_pod_template_hash="ccc"}[10m]))')
    resets = number(
        made, 'max(resets(mainline_requests_total{rollouts_pod_template_hash="ccc",outcome="answered"}[10m]))'
    )
    assert 3 <= resets <= starts <= 20


def test_a_pod_that_is_gone_is_gone_for_prometheus_at_once() -> None:
    made, _ = fleet(Behaviour())
    made.until(BEGIN + 200)
    assert query(made.database, 'up{rollouts_pod_template_hash="ccc"}', made.now) != []
    made.split(Split(candidate_pods=0, stable_pods=3, share=0.0))
    made.until(BEGIN + 201)
    assert query(made.database, 'up{rollouts_pod_template_hash="ccc"}', made.now) == []


def test_memory_grows_by_the_leak() -> None:
    made, _ = fleet(Behaviour(leak_bytes_per_second=1e6))
    made.until(BEGIN + 760)
    leak = number(made, 'max(deriv(process_resident_memory_bytes{rollouts_pod_template_hash="ccc"}[5m]))')
    assert leak == pytest.approx(1e6, rel=0.05)


def test_traffic_has_its_mean_and_is_not_even() -> None:
    load = Load(10.0, np.random.default_rng(0))
    quarters = [load.expected(second, second + 15) for second in range(0, 6 * 3600, 15)]
    assert np.mean(quarters) == pytest.approx(150, rel=0.1)
    assert np.std(quarters) > 20


def test_one_request_in_twenty_is_slow() -> None:
    chance = np.random.default_rng(0)
    taken = latencies(Behaviour(slow_share=0.05, slow_seconds=0.3), 20_000, 60.0, chance, cold=False)
    assert np.mean(taken > 0.2) == pytest.approx(0.05, abs=0.005)
    assert np.median(taken) == pytest.approx(0.002, rel=0.2)
