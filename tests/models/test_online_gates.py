"""The online half of gates.yaml: what is read, and every way in which it is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.duration import seconds
from models.errors import ConfigError
from models.gates_spec import load_gates

WriteModel = Callable[..., Path]
Spoil = Callable[[dict[str, Any]], object]

QUALITY = {
    "min_feedback": 200, "max_worse": 0.2, "alpha": 0.001, "window": "6h", "interval": "5m", "count": 60,
    "reason": "a fifth of stable's usual error",
}  # fmt: skip

CASES: list[tuple[str, Spoil, str]] = [
    ("no-reason", lambda o: o["errors"].pop("reason"), "errors.reason: got nothing, required"),
    ("gate-missing", lambda o: o.pop("saturation"), "saturation: got nothing, required"),
    (
        "mistyped",
        lambda o: o["latency"].update(max_p99_second=0.1),
        'latency.max_p99_second: got 0.1, unknown key, did you mean "max_p99_seconds"?',
    ),
    (
        "no-duration",
        lambda o: o["errors"].update(window="5 minutes"),
        'errors.window: got "5 minutes", must be a duration above nothing such as 15s, 5m or 1h30m',
    ),
    (
        "days",
        lambda o: o["errors"].update(stable_window="1d"),
        'errors.stable_window: got "1d", must be a duration above nothing',
    ),
    (
        "nothing",
        lambda o: o["storm"].update(interval="0s"),
        'storm.interval: got "0s", must be a duration above nothing',
    ),
    ("number-for-duration", lambda o: o["storm"].update(window=60), "storm.window: got 60, must be"),
    ("ratio", lambda o: o["storm"].update(max_ratio=1.5), "storm.max_ratio: got 1.5, must be less than 1"),
    ("nan", lambda o: o["latency"].update(max_p99_seconds=float("nan")), "latency.max_p99_seconds: got nan"),
    (
        "count-as-text",
        lambda o: o["samples"].update(count="120"),
        'samples.count: got "120", must be a valid integer, a number is written without quotes',
    ),
    (
        "ratio-to-stable",
        lambda o: o["latency"].update(max_ratio_to_stable=1.0),
        "latency.max_ratio_to_stable: got 1.0, must be greater than 1",
    ),
    (
        "floor-above-limit",
        lambda o: o["latency"].update(floor_seconds=0.5),
        "latency.floor_seconds: got 0.5, must not exceed max_p99_seconds, 0.1",
    ),
    (
        "more-than-waited-for",
        lambda o: o["errors"].update(min_requests=501),
        "errors.min_requests: got 501, must not exceed samples.min_requests, 500: nobody waited for more",
    ),
    (
        "more-rows-than-waited-for",
        lambda o: o["inputs"].update(min_rows=600),
        "inputs.min_rows: got 600, must not exceed samples.min_rows, 500",
    ),
    (
        "distinct-above-rows",
        lambda o: o["predictions"].update(min_distinct_rows=501),
        "predictions.min_distinct_rows: got 501, must not exceed min_rows, 500",
    ),
    (
        "distinct-above-replayed",
        lambda o: o["replay"].update(min_distinct_rows=301),
        "replay.min_distinct_rows: got 301, must not exceed rows, 300",
    ),
    (
        "too-few-failures",
        lambda o: o["errors"].update(min_failures=2),
        "errors.min_failures: got 2, must not be below max_ratio x min_requests, 2.5: so few are none too many",
    ),
    (
        "mean-above-root-mean-square",
        lambda o: o["predictions"].update(max_announced_shift=0.6),
        "predictions.max_announced_shift: got 0.6, must not exceed max_announced, 0.5",
    ),
    (
        "guard-finer-than-gate",
        lambda o: o["storm"].update(max_ratio=0.004),
        "storm.max_ratio: got 0.004, must not be below errors.max_ratio, 0.005",
    ),
    (
        "waits-less-than-samples",
        lambda o: o["saturation"].update(count=100),
        "saturation.count: got 100, interval x count is 1500 s, must not be below samples', 1800 s",
    ),
    (
        "more-successes-than-looks",
        lambda o: o["errors"].update(successes=141),
        "errors.successes: got 141, must not exceed count, 140",
    ),
    (
        "ends-before-the-memory-does",
        lambda o: o["latency"].update(successes=20),
        "latency.successes: got 20, so many take 285 s, must not be shorter than saturation.memory_window, 300 s",
    ),
    (
        "half-of-the-traffic-needs-more-than-was-waited-for",
        lambda o: o["half"].update(min_requests=501),
        "half.min_requests: got 501, must not exceed samples.min_requests, 500",
    ),
    (
        "half-a-window-without-a-sample",
        lambda o: o["half"].update(window="30s"),
        'half.window: got "30s", must not be shorter than scrape.max_age_seconds, 60',
    ),
    (
        "window-without-a-sample",
        lambda o: o["latency"].update(window="30s"),
        'latency.window: got "30s", must not be shorter than scrape.max_age_seconds, 60: it may hold no sample',
    ),
    (
        "stable-window-shorter",
        lambda o: o["latency"].update(stable_window="5m"),
        'latency.stable_window: got "5m", must not be shorter than window, 10m',
    ),
    (
        "too-little-feedback-to-fail",
        lambda o: o.update(quality=QUALITY | {"min_feedback": 13}),
        "quality.min_feedback: got 13, must be at least 2 ln(1 / alpha), 14: fewer rows can tell nothing from chance",
    ),
    ("quality-misses", lambda o: o.update(quality={**QUALITY, "max_wors": 1}), "quality.max_wors: got 1, unknown key"),
]


@pytest.mark.parametrize(("name", "spoil", "line"), CASES, ids=[case[0] for case in CASES])
def test_wrong_online_gates_are_refused_in_one_line(
    write_model: WriteModel, gates: dict[str, Any], name: str, spoil: Spoil, line: str
) -> None:
    spoil(gates["spec"]["online"])
    folder = write_model(gate=gates)
    with pytest.raises(ConfigError) as caught:
        load_gates(folder)
    found = [problem.removeprefix(f"{folder}/gates.yaml: spec.online.") for problem in caught.value.problems]
    assert len(found) == 1, found
    assert found[0].startswith(line)


def test_quality_is_a_gate_of_its_own_choice(write_model: WriteModel, gates: dict[str, Any]) -> None:
    assert load_gates(write_model(gate=gates)).online.quality is None
    gates["spec"]["online"]["quality"] = QUALITY
    read = load_gates(write_model(gate=gates)).online.quality
    assert read is not None
    assert (read.min_feedback, read.max_worse) == (200, 0.2)


def test_gates_without_an_online_half_are_refused(write_model: WriteModel, gates: dict[str, Any]) -> None:
    del gates["spec"]["online"]
    with pytest.raises(ConfigError, match=r"spec\.online: got nothing, required"):
        load_gates(write_model(gate=gates))


def test_all_problems_of_the_online_half_are_told_at_once(write_model: WriteModel, gates: dict[str, Any]) -> None:
    gates["spec"]["online"]["errors"]["window"] = "1d"
    gates["spec"]["online"]["inputs"]["alpha"] = 0.7
    gates["spec"]["online"]["samples"]["min_rows"] = 400
    with pytest.raises(ConfigError) as caught:
        load_gates(write_model(gate=gates))
    assert len(caught.value.problems) == 4  # inputs and predictions both need more than 400


@pytest.mark.parametrize(("text", "length"), [("15s", 15), ("5m", 300), ("1h30m", 5400), ("1h1m1s", 3661)])
def test_a_duration_is_read_as_go_and_prometheus_read_it(text: str, length: int) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "15", "1d", "1.5h", "500ms", "5m 3s", "-5m", "0s", "0h0m"])
def test_what_one_of_them_would_not_read_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        seconds(text)
