"""Rules that only several values of gates.yaml's online half together show. Called by `gates_spec`."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from models.declaration import Problem, show
from models.duration import seconds

_AT = ("spec", "online")
# A gate that needs more than was waited for would wait for what nobody promised.
_WAITED_FOR = {
    "errors": "min_requests",
    "latency": "min_requests",
    "saturation": "min_requests",
    "half": "min_requests",
    "inputs": "min_rows",
    "predictions": "min_rows",
}


def online_problems(online: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong; values that the schema refuses anyway are passed over."""
    yield from _count_problems(online)
    yield from _size_problems(online)
    yield from _time_problems(online)
    yield from _quality_problems(_gate(online, "quality"))


def _count_problems(online: Mapping[str, Any]) -> Iterator[Problem]:
    samples = _gate(online, "samples")
    for name, field in _WAITED_FOR.items():
        gate = _gate(online, name)
        if _above(gate.get(field), samples.get(field)):
            rule = f"must not exceed samples.{field}, {samples[field]}: nobody waited for more"
            yield Problem((*_AT, name, field), show(gate[field]), rule)
    for name, field in (("inputs", "min_rows"), ("predictions", "min_rows"), ("replay", "rows")):
        gate = _gate(online, name)
        if _above(gate.get("min_distinct_rows"), gate.get(field)):
            got = show(gate["min_distinct_rows"])
            yield Problem((*_AT, name, "min_distinct_rows"), got, f"must not exceed {field}, {gate[field]}")


def _size_problems(online: Mapping[str, Any]) -> Iterator[Problem]:
    errors, latency, storm = _gate(online, "errors"), _gate(online, "latency"), _gate(online, "storm")
    if _above(latency.get("floor_seconds"), latency.get("max_p99_seconds")):
        rule = f"must not exceed max_p99_seconds, {latency['max_p99_seconds']}: the ratio could not decide before it"
        yield Problem((*_AT, "latency", "floor_seconds"), show(latency["floor_seconds"]), rule)
    ratio, requests, failures = (errors.get(field) for field in ("max_ratio", "min_requests", "min_failures"))
    if isinstance(ratio, int | float) and isinstance(requests, int) and _above(ratio * requests, failures):
        rule = f"must not be below max_ratio x min_requests, {ratio * requests:g}: so few are none too many"
        yield Problem((*_AT, "errors", "min_failures"), show(failures), rule)
    for name in ("predictions", "replay"):
        gate = _gate(online, name)
        if _above(gate.get("max_announced_shift"), gate.get("max_announced")):
            rule = f"must not exceed max_announced, {gate['max_announced']}: no mean is above its root mean square"
            yield Problem((*_AT, name, "max_announced_shift"), show(gate["max_announced_shift"]), rule)
    if _above(errors.get("max_ratio"), storm.get("max_ratio")):
        rule = f"must not be below errors.max_ratio, {errors['max_ratio']}: a guard is no finer than its gate"
        yield Problem((*_AT, "storm", "max_ratio"), show(storm["max_ratio"]), rule)


def _time_problems(online: Mapping[str, Any]) -> Iterator[Problem]:
    waited, age = _wait(_gate(online, "samples")), _gate(online, "scrape").get("max_age_seconds")
    for name in _WAITED_FOR:
        gate = _gate(online, name)
        wait, window = _wait(gate), _seconds(gate.get("window"))
        if _above(waited, wait):
            rule = f"interval x count is {wait} s, must not be below samples', {waited} s: blue-green asks both at once"
            yield Problem((*_AT, name, "count"), show(gate["count"]), rule)
        if _above(age, window):
            rule = f"must not be shorter than scrape.max_age_seconds, {age}: it may hold no sample"
            yield Problem((*_AT, name, "window"), show(gate["window"]), rule)
    yield from _watch_problems(online, _seconds(_gate(online, "saturation").get("memory_window")))
    for name, field in (("errors", "compare_window"), ("latency", "window")):
        gate = _gate(online, name)
        if _above(_seconds(gate.get(field)), _seconds(gate.get("stable_window"))):
            rule = f"must not be shorter than {field}, {gate[field]}: it is looked at where that one is empty"
            yield Problem((*_AT, name, "stable_window"), show(gate["stable_window"]), rule)


def _watch_problems(online: Mapping[str, Any], longest: int | None) -> Iterator[Problem]:
    for name in ("errors", "latency", "saturation"):
        gate = _gate(online, name)
        successes, interval = gate.get("successes"), _seconds(gate.get("interval"))
        if _above(successes, gate.get("count")):
            yield Problem((*_AT, name, "successes"), show(successes), f"must not exceed count, {gate['count']}")
        elif isinstance(successes, int) and interval is not None and _above(longest, (successes - 1) * interval):
            rule = f"so many take {(successes - 1) * interval} s, must not be shorter than saturation.memory_window"
            yield Problem((*_AT, name, "successes"), show(successes), f"{rule}, {longest} s: nothing would watch on")


def _quality_problems(quality: Mapping[str, Any]) -> Iterator[Problem]:
    alpha, rows = quality.get("alpha"), quality.get("min_feedback")
    if isinstance(alpha, float) and 0 < alpha < 1 and _above(2 * math.log(1 / alpha), rows):
        least = math.ceil(2 * math.log(1 / alpha))
        rule = f"must be at least 2 ln(1 / alpha), {least}: fewer rows can tell nothing from chance"
        yield Problem((*_AT, "quality", "min_feedback"), show(rows), rule)


def _gate(online: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    gate = online.get(name)
    return gate if isinstance(gate, Mapping) else {}


def _above(left: object, right: object) -> bool:
    """Whether both are numbers and the left is the greater."""
    return isinstance(left, int | float) and isinstance(right, int | float) and left > right


def _seconds(duration: object) -> int | None:
    try:
        return seconds(duration) if isinstance(duration, str) else None
    except ValueError:
        return None


def _wait(gate: Mapping[str, Any]) -> int | None:
    interval, count = _seconds(gate.get("interval")), gate.get("count")
    return interval * count if interval is not None and isinstance(count, int) else None
