"""Series of serving pods as Prometheus would have scraped them every 15 s, in promtool's notation."""

from collections.abc import Mapping

from services.serving.metrics import BUCKETS_SECONDS, Outcome

CANARY, STABLE, FORMER = "canary", "stable", "former"
Series = dict[str, str]


def ramp(per_scrape: float, scrapes: int, *, start: float = 0.0) -> str:
    """A counter that starts at `start` and grows with each of `scrapes` further scrapes."""
    return f"{start:g}+{per_scrape:g}x{scrapes}"


def flat(value: float | str, scrapes: int) -> str:
    """A gauge that does not move."""
    return " ".join([str(value)] * (scrapes + 1))


def pod(
    pods: str,
    *,
    scrapes: int = 40,
    answered: float = 20,
    failed: float = 0,
    refused: float = 0,
    seconds: Mapping[float, float] | None = None,
    memory: str = "",
    started: str = "",
    in_flight: float | str = 1,
    up: str = "",
    instance: str = "1",
    absent: int = 0,
) -> Series:
    """All series of one pod.

    Args:
        pods: whose: the pod-template hash.
        scrapes: after the first one.
        answered, failed, refused: requests between two scrapes.
        seconds: bound of the histogram to the share of answers that fell below it and above the one before;
            default: all within 5 ms.
        memory, started, up: whole series, where they are not flat.
        in_flight: at each scrape.
        absent: scrapes before the pod was there.
    """
    labels = f'rollouts_pod_template_hash="{pods}", instance="{instance}"'
    counts = {Outcome.ANSWERED: answered, Outcome.FAILED: failed, Outcome.REFUSED: refused}
    series = {
        f'mainline_requests_total{{{labels}, outcome="{outcome}"}}': ramp(counts.get(outcome, 0), scrapes)
        for outcome in Outcome
    }
    series[f"mainline_captured_rows_total{{{labels}}}"] = ramp(answered, scrapes)
    series[f"mainline_request_duration_seconds_count{{{labels}}}"] = ramp(answered, scrapes)
    below = 0.0
    for bound in (*BUCKETS_SECONDS, float("inf")):
        below += (seconds or {0.005: 1.0}).get(bound, 0.0)
        name = "+Inf" if bound == float("inf") else f"{bound:g}"
        series[f'mainline_request_duration_seconds_bucket{{{labels}, le="{name}"}}'] = ramp(below * answered, scrapes)
    series[f"process_resident_memory_bytes{{{labels}}}"] = memory or flat(150e6, scrapes)
    series[f"process_start_time_seconds{{{labels}}}"] = started or flat(0, scrapes)
    series[f"mainline_requests_in_flight{{{labels}}}"] = flat(in_flight, scrapes)
    series[f"up{{{labels}}}"] = up or flat(1, scrapes)
    return {name: f"_x{absent} {values}" if absent else values for name, values in series.items()}


def together(*parts: Mapping[str, str]) -> Series:
    """Series of several pods."""
    merged: Series = {}
    for part in parts:
        assert not merged.keys() & part.keys(), "two pods share a series: give one another instance"
        merged |= part
    return merged


def only(series: Mapping[str, str], *names: str) -> Series:
    """The series of some metrics."""
    return {name: values for name, values in series.items() if name.partition("{")[0] in names}


def restarted(series: Mapping[str, str], after: int, scrapes: int) -> Series:
    """The pod's process ended after some scrapes and came back: its counters begin anew."""
    changed = {}
    for name, values in series.items():
        if name.startswith("process_start_time_seconds"):
            changed[name] = f"{flat(0, after)} {flat(after * 15 + 5, scrapes - after - 1)}"
        elif "+" in values and "x" in values:
            step = float(values.partition("+")[2].partition("x")[0])
            changed[name] = f"{ramp(step, after)} {ramp(step, scrapes - after - 1)}"
        else:
            changed[name] = values
    return changed


def replaced(series: Mapping[str, str], metric: str, values: str) -> Series:
    """The same with other values of one metric."""
    assert any(name.startswith(metric + "{") for name in series), metric
    return {name: values if name.startswith(metric + "{") else former for name, former in series.items()}
