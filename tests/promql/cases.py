"""What each Prometheus metric of the AnalysisTemplates must say to what is written here: pass, fail or nothing.

The queries and conditions are the built overlay's (iris in production); no query and no threshold stands here twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.promql.series import (
    CANARY,
    FORMER,
    STABLE,
    Series,
    flat,
    only,
    pod,
    ramp,
    replaced,
    restarted,
    together,
)

PASS, FAIL, NOTHING = "pass", "fail", "inconclusive"
END = 600  # 40 scrapes of 15 s
SWITCHED = 84 * 15  # 40 scrapes of stable alone, one minute of nobody, 40 of the candidate alone


@dataclass(frozen=True)
class Case:
    """A metric, what Prometheus holds, and the verdict; `value` where it can be worked out by hand."""

    metric: str
    name: str
    verdict: str
    series: Mapping[str, str] = field(repr=False)
    at_seconds: int = END
    value: float | None = None


@dataclass(frozen=True)
class Subject:
    """A metric with a candidate that passes and one that fails it.

    Attributes:
        beside: series of the pods that it is compared with.
        signal: the metric whose NaN must not be taken for an answer.
        quiet: the bad candidate with too little traffic to say so; none where no traffic is needed.
    """

    metric: str
    good: Series
    bad: Series | None
    signal: str
    quiet: Series | None
    beside: Series = field(default_factory=dict)


SLOW = {0.005: 0.95, 0.5: 0.05}  # one in twenty takes more than 250 ms
GROWING = " ".join(str(150e6 + 8e6 * minute / 4) for minute in range(41))  # 8 MB a minute
STABLE_PODS = pod(STABLE, answered=60)

SUBJECTS = (
    Subject("enough-requests", pod(CANARY), None, "mainline_requests_total", pod(CANARY, answered=2)),
    Subject("enough-rows", pod(CANARY), None, "mainline_captured_rows_total", pod(CANARY, answered=2)),
    Subject(
        "error-storm",
        pod(CANARY, answered=200, failed=5),
        pod(CANARY, answered=14, failed=6),
        "mainline_requests_total",
        pod(CANARY, answered=0.25, failed=0.5),
    ),
    Subject(
        "latency-storm",
        pod(CANARY),
        pod(CANARY, seconds={0.005: 0.5, 0.5: 0.5}),
        "mainline_request_duration_seconds_bucket",
        pod(CANARY, answered=2, seconds={0.5: 1.0}),
    ),
    Subject(
        "restart-storm",
        pod(CANARY),
        restarted(pod(CANARY), 38, 40),
        "mainline_requests_total",
        None,
    ),
    Subject(
        "error-ratio",
        pod(CANARY),
        pod(CANARY, answered=19.6, failed=0.4),
        "mainline_requests_total",
        pod(CANARY, answered=1, failed=0.05),
    ),
    Subject(
        "refused-excess",
        pod(CANARY, answered=19.8, refused=0.2),
        pod(CANARY, answered=17, refused=3),
        "mainline_requests_total",
        pod(CANARY, answered=4, refused=4),
        together(pod(STABLE, answered=57, refused=3)),
    ),
    Subject(
        "latency-p99",
        pod(CANARY),
        pod(CANARY, seconds=SLOW),
        "mainline_request_duration_seconds_bucket",
        pod(CANARY, answered=2, seconds=SLOW),
    ),
    Subject(
        "latency-against-stable",
        pod(CANARY, seconds={0.05: 1.0}),
        pod(CANARY, seconds={0.1: 1.0}),
        "mainline_request_duration_seconds_bucket",
        pod(CANARY, answered=2, seconds={0.1: 1.0}),
        STABLE_PODS,
    ),
    Subject(
        "restarts",
        pod(CANARY),
        restarted(pod(CANARY), 20, 40),
        "process_start_time_seconds",
        restarted(pod(CANARY, answered=2), 20, 40),
    ),
    Subject(
        "memory",
        pod(CANARY),
        pod(CANARY, memory=GROWING.replace("8e6", "9e6")) | pod(CANARY, memory=ramp(6e6, 40, start=150e6)),
        "process_resident_memory_bytes",
        pod(CANARY, answered=2, memory=ramp(6e6, 40, start=150e6)),
    ),
    Subject(
        "in-flight",
        pod(CANARY),
        pod(CANARY, in_flight=100),
        "mainline_requests_in_flight",
        pod(CANARY, answered=2, in_flight=100),
    ),
)


def cases() -> Iterator[Case]:
    """All of them."""
    for subject in SUBJECTS:
        yield from _every_metric(subject)
    yield from _samples()
    yield from _errors()
    yield from _latency()
    yield from _processes()


def _every_metric(subject: Subject) -> Iterator[Case]:
    """What holds for each: it closes, it opens, and no signal is never taken for one."""
    metric, beside = subject.metric, subject.beside
    bad = subject.bad or subject.good
    yield Case(metric, "good", PASS, together(subject.good, beside))
    if subject.bad:
        yield Case(metric, "bad", FAIL, together(subject.bad, beside))
        yield Case(metric, "bad beside good former pods", FAIL, together(subject.bad, beside, _former(subject.good)))
        yield Case(metric, "good beside bad former pods", PASS, together(subject.good, beside, _former(subject.bad)))
    yield Case(metric, "no data", NOTHING, {})
    yield Case(metric, "only the other pods", NOTHING, together(beside, _former(bad)))
    yield Case(metric, "two minutes without a scrape", NOTHING, together(bad, beside), END + 120)
    yield Case(metric, "two minutes without a scrape, good", NOTHING, together(subject.good, beside), END + 120)
    if not metric.startswith("restart"):  # the time of a start is no number that a process can lose
        broken = replaced(bad, subject.signal, flat("NaN", 40))
        yield Case(metric, "NaN", NOTHING, together(broken, beside))
    if subject.quiet:
        yield Case(metric, "bad, hardly called", NOTHING, together(subject.quiet, beside))


def _samples() -> Iterator[Case]:
    half = pod(CANARY, answered=13)
    yield Case("enough-requests", "counts of two pods", PASS, together(half, _renamed(half, "2")), value=1040)
    # 400 before the restart and 380 after it: what was lost is waited for again.
    yield Case("enough-requests", "counter reset", NOTHING, restarted(pod(CANARY), 20, 40), value=380)
    yield Case("enough-rows", "counter reset", NOTHING, restarted(pod(CANARY), 20, 40), value=380)
    unwritten = replaced(pod(CANARY), "mainline_captured_rows_total", flat(0, 40))
    yield Case("enough-rows", "answered and not captured", NOTHING, unwritten, value=0)
    yield Case(
        "enough-rows", "of a server that knows no capture", NOTHING, only(pod(CANARY), "mainline_requests_total")
    )


def _errors() -> Iterator[Case]:
    one_in_fifty = pod(CANARY, answered=19.6, failed=0.4)
    yield Case("error-ratio", "one in fifty", FAIL, one_in_fifty, value=0.02)
    yield Case("error-ratio", "one in fifty, restarted", FAIL, restarted(one_in_fifty, 20, 40), value=0.02)
    yield Case("error-ratio", "counter reset", PASS, restarted(pod(CANARY), 20, 40), value=0)
    yield Case("error-ratio", "one in a thousand", PASS, pod(CANARY, answered=99.9, failed=0.1), value=0.001)
    # 4 of 604: more than one in two hundred, and may be chance
    yield Case("error-ratio", "a few failures", NOTHING, pod(CANARY, answered=15, failed=0.1))
    yield Case("error-ratio", "few requests, many failures", FAIL, pod(CANARY, answered=1, failed=1), value=0.5)
    yield Case("error-ratio", "refused is the caller's", PASS, pod(CANARY, answered=10, refused=10), value=0)
    unavailable = together(
        only(pod(CANARY), "mainline_captured_rows_total"),
        {
            f'mainline_requests_total{{rollouts_pod_template_hash="{CANARY}", outcome="{outcome}"}}': ramp(10, 40)
            for outcome in ("answered", "unavailable")
        },
    )
    yield Case("error-ratio", "unavailable is the server's", FAIL, unavailable, value=0.5)
    yield Case("error-storm", "counter reset", FAIL, restarted(pod(CANARY, answered=14, failed=6), 37, 40))
    yield Case("error-storm", "over before the window", NOTHING, _storm_that_ended())
    yield Case("error-storm", "a few failures in many requests", NOTHING, pod(CANARY, answered=200, failed=0.5))

    stable = pod(STABLE, answered=57, refused=3)
    yield Case("refused-excess", "counter reset", PASS, together(restarted(pod(CANARY), 20, 40), stable))
    refusing, switched = pod(CANARY, answered=17, refused=3), _stopped(stable)
    after = pod(CANARY, answered=17, refused=3, absent=44)
    yield Case("refused-excess", "bad after the switch", FAIL, together(after, switched), SWITCHED)
    after = pod(CANARY, absent=44)
    yield Case("refused-excess", "good after the switch", PASS, together(after, switched), SWITCHED)
    yield Case("refused-excess", "nobody to compare with", NOTHING, refusing)
    same = together(pod(CANARY, answered=400, refused=400), pod(STABLE, answered=30, refused=30))
    yield Case("refused-excess", "bad callers of both", PASS, same)
    # 2 % beyond stable are the limit itself, and 800 requests cannot tell 5 % from it: it is asked again.
    fifth = pod(CANARY, answered=18.6, refused=1.4)
    yield Case("refused-excess", "at the limit", NOTHING, together(fifth, stable))
    same = pod(CANARY, answered=19, refused=1)
    yield Case("refused-excess", "as many, and too few requests to say so", NOTHING, together(same, stable))
    # (0 - 0 - 0.02) / (sqrt(0 + 1) / 800)
    yield Case("refused-excess", "none refused", PASS, together(pod(CANARY), STABLE_PODS), value=-16)


def _latency() -> Iterator[Case]:
    slow = pod(CANARY, seconds=SLOW)
    yield Case("latency-p99", "counter reset", FAIL, restarted(slow, 20, 40))
    yield Case("latency-p99", "good, restarted", PASS, restarted(pod(CANARY), 20, 40))
    # 95 of 100 below 5 ms, 5 between 250 and 500 ms: the 99th lies four fifths up that bucket.
    yield Case("latency-p99", "one in twenty", FAIL, slow, value=0.45)
    yield Case("latency-p99", "one in two hundred", PASS, pod(CANARY, answered=40, seconds={0.005: 0.995, 0.5: 0.005}))
    tenfold = together(pod(CANARY, seconds={0.01: 1.0}), STABLE_PODS)
    yield Case("latency-against-stable", "twice as slow below the floor", PASS, tenfold)
    both = together(pod(CANARY, seconds={0.5: 1.0}), pod(STABLE, answered=60, seconds={0.5: 1.0}))
    yield Case("latency-against-stable", "both slow at the same moment", PASS, both, value=1)
    worse = pod(CANARY, seconds={0.1: 1.0})
    yield Case("latency-against-stable", "counter reset", FAIL, together(restarted(worse, 20, 40), STABLE_PODS))
    after = pod(CANARY, seconds={0.1: 1.0}, absent=44)
    yield Case("latency-against-stable", "after the switch", FAIL, together(after, _stopped(STABLE_PODS)), SWITCHED)
    yield Case("latency-against-stable", "nobody to compare with", NOTHING, worse)
    yield Case("latency-storm", "counter reset", FAIL, restarted(pod(CANARY, seconds={0.5: 1.0}), 37, 40))


def _processes() -> Iterator[Case]:
    down = pod(CANARY, up=f"{flat(1, 38)} 0 0")
    yield Case("restarts", "a pod down just now", NOTHING, down)
    crashed = replaced(restarted(pod(CANARY), 20, 40), "up", f"{flat(1, 38)} 0 0")
    yield Case("restarts", "restarted and down again", FAIL, crashed, value=1)
    two = together(pod(CANARY), restarted(pod(CANARY, instance="2"), 30, 40))
    yield Case("restarts", "one of two pods", FAIL, two, value=1)
    yield Case("memory", "counter reset", PASS, restarted(pod(CANARY), 20, 40), value=150e6)
    # Loaded from 20 to 150 MB within its first minute: a trend that says nothing yet.
    loading = pod(CANARY, answered=60, memory=" ".join(str(min(20e6 + 40e6 * i, 150e6)) for i in range(41)))
    yield Case("memory", "warming up", NOTHING, loading, 90)
    yield Case("memory", "loaded long ago", PASS, loading, value=150e6)
    leaks = pod(CANARY, instance="2", memory=ramp(6e6, 40, start=150e6))
    yield Case("memory", "one of two pods leaks", FAIL, together(pod(CANARY), leaks), value=750e6)
    yield Case("memory", "already above the limit", FAIL, pod(CANARY, memory=flat(500e6, 40)), value=500e6)
    yield Case("in-flight", "counter reset", PASS, restarted(pod(CANARY), 20, 40), value=1)


def _former(series: Mapping[str, str]) -> Series:
    """The same pods under the hash of a revision that is neither candidate nor stable."""
    return {name.replace(f'="{CANARY}"', f'="{FORMER}"'): values for name, values in series.items()}


def _renamed(series: Mapping[str, str], instance: str) -> Series:
    return {name.replace('instance="1"', f'instance="{instance}"'): values for name, values in series.items()}


def _stopped(series: Mapping[str, str]) -> Series:
    """Pods that were called for ten minutes and are still there eleven minutes later, called by nobody."""
    return {
        name: f"{values} {flat(_last(values), 43)}" if values.startswith("0+") else f"{values} {flat(1, 43)}"
        for name, values in series.items()
    }


def _last(ramped: str) -> str:
    return f"{float(ramped[2:].partition('x')[0]) * 40:g}"


def _storm_that_ended() -> Series:
    series = pod(CANARY)
    name = next(name for name in series if 'outcome="failed"' in name)
    return series | {name: f"{ramp(10, 20)} {ramp(0, 19, start=200)}"}
