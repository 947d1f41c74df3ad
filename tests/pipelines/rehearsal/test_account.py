"""Events and samples in the record's words: which gate said what, where, and which one decided."""

from pathlib import Path

from pipelines.rehearsal import account
from pipelines.rehearsal.contract import Ending, Event, Outcome, Phase
from pipelines.rehearsal.metric import Metric, Prometheus
from pipelines.rehearsal.tally import Seen
from pipelines.rehearsal.world import Sample

METRICS = {
    name: Metric(
        name=name,
        template=template,
        provider=Prometheus(address="http://p", query="q"),
        success_condition=f"len(result) > 0 && !isNaN(result[0]) && result[0] <= {limit}",
    )
    for name, template, limit in (
        ("error-ratio", "error-ratio", "0.005"),
        ("memory", "saturation", "450000000"),
        ("storm", "error-storm", "0.05"),
    )
}


def event(time: float, kind: str, label: str = "gates", **fields: object) -> Event:
    return Event(time=time, kind=kind, step=2, label=label, share=0.25, **fields)  # type: ignore[arg-type]


def begins(time: float, label: str, role: str = "Step-based") -> Event:
    return event(time, "analysis", label, phase=Phase.RUNNING, message=f"{role} analysis begins")


def measured(time: float, metric: str, value: float, phase: Phase, label: str = "gates", said: str = "") -> Event:
    return event(time, "measurement", label, metric=metric, value=(value,), phase=phase, message=said or f"{value:.4g}")


def ended(time: float, metric: str, phase: Phase, label: str = "gates") -> Event:
    return event(time, "metric", label, metric=metric, phase=phase, message="why")


EVENTS = (
    begins(1.0, "error-storm", "Background"),
    measured(2.0, "storm", 0.0, Phase.SUCCESSFUL, "error-storm"),
    begins(3.0, "gates"),
    measured(3.5, "error-ratio", 0.001, Phase.SUCCESSFUL),
    ended(3.5, "error-ratio", Phase.SUCCESSFUL),
    measured(3.6, "memory", 151_800_000.0, Phase.SUCCESSFUL),
    ended(3.6, "memory", Phase.SUCCESSFUL),
    begins(8.0, "gates"),
    measured(8.1, "error-ratio", 0.02, Phase.FAILED),
    ended(8.1, "error-ratio", Phase.FAILED),
)


def outcome(gate: str = "error-ratio") -> Outcome:
    return Outcome(ending=Ending.ABORTED, reason="r", gate=gate, template=gate, step=2, events=EVENTS)


def test_each_run_of_a_metric_is_a_row_and_the_last_decided() -> None:
    rows = {(row.name, row.seconds): row for row in account.gates(outcome(), METRICS, {})}
    assert [key for key, row in rows.items() if row.decided] == [("error-ratio", 8.1)]
    assert (rows["error-ratio", 3.5].verdict, rows["error-ratio", 8.1].verdict) == ("pass", "fail")
    assert rows["error-ratio", 8.1].rule == "at most 0.005"
    assert rows["error-ratio", 8.1].where == "step 3"


def test_large_numbers_are_written_out_and_not_said_twice() -> None:
    (memory,) = [row for row in account.gates(outcome(), METRICS, {}) if row.name == "memory"]
    assert (memory.value, memory.rule, memory.reason) == ("151,800,000", "at most 450,000,000", "")


def test_guard_that_was_cut_short_did_not_close_which_is_no_pass() -> None:
    (guard,) = [row for row in account.gates(outcome(), METRICS, {}) if row.name == "storm"]
    assert (guard.where, guard.verdict, guard.measurements) == ("background", "did not close", 1)


def test_gate_that_was_asked_without_an_end_has_no_verdict() -> None:
    events = (begins(1.0, "gates"), measured(1.5, "memory", 1.0, Phase.ERROR, said="refused"))
    walked = Outcome(ending=Ending.PAUSED, reason="r", events=events)
    (row,) = account.gates(walked, METRICS, {})
    assert (row.verdict, row.value, row.reason) == ("no verdict", "error", "refused")


def test_walk_without_an_end_is_paused_where_it_stood() -> None:
    told: list[Event] = []
    heard = account.Heard(told.append)
    for each in EVENTS:
        heard(each)
    unfinished = heard.unfinished("not decided within 75 s", 75.0)
    assert (unfinished.ending, unfinished.share, unfinished.step) == (Ending.PAUSED, 0.25, 2)
    assert unfinished.reason == "not decided within 75 s (gates)"
    assert tuple(told) == unfinished.events == EVENTS


def test_what_was_before_the_rollout_is_no_point_of_it() -> None:
    nobody, some = Seen(0, 0, None), Seen(200, 2, 0.004)
    samples = [
        Sample(time=time, share=0.0, candidate=nobody, stable=some, memory_bytes=None, restarts=0)
        for time in (-2.0, -1.0, 0.5, 1.5)
    ]
    points = account.points(samples)
    assert [point.time for point in points] == [0.5, 1.5]
    assert (points[0].error_ratio, points[0].stable_error_ratio) == (None, 0.01)


def test_distances_come_from_the_judges_shelf_and_none_where_it_kept_nothing(tmp_path: Path) -> None:
    assert account.distances([], tmp_path) == ()


def test_exit_codes_tell_aborted_from_paused() -> None:
    assert [account.exit_code(word) for word in ("promoted", "nothing", "aborted", "paused")] == [0, 0, 3, 4]
