"""What the server measures, for gates, alerts and the autoscaler. Labels are `model` and `model_version`, never ids.

A model that stands beside a server's main one has its name in a third, `beside`: Prometheus makes `model` the pod's, of
which there is one (manifests/platform/prometheus/scrape-serving.yml), and two models may have the same version.

The judge's own requests (`services.replayed`) are in flight while they are handled; nothing else counts them.

The digest is a label of `mainline_model_info` alone, to be joined where it is wanted.
"""

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from services.serving.durations import Durations
from services.serving.live_quality import LiveQuality

# A single row takes about 100 us in all and a thousand about 10 ms; above 2.5 s a caller has given up.
BUCKETS_SECONDS = (
    50e-6, 100e-6, 200e-6, 350e-6, 500e-6, 750e-6, 1e-3, 2e-3, 3.5e-3, 5e-3, 7.5e-3,
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


class Outcome(StrEnum):
    """How a request for predictions ended."""

    ANSWERED = "answered"
    REFUSED = "refused"  # 4xx: the caller's to mend
    UNAVAILABLE = "unavailable"  # 503: not ready yet
    FAILED = "failed"  # any other 5xx, or no answer before the deadline: ours to mend
    ABANDONED = "abandoned"  # the caller went away, or another model refused its part of the request


class FeedbackOutcome(StrEnum):
    """What this pod knows of a truth that it was told."""

    KNOWN = "known"  # of an answer that it gave and remembers
    UNKNOWN = "unknown"  # accepted: another pod's answer, an old one, or nobody's
    REPEATED = "repeated"  # accepted before, and the same
    CORRECTED = "corrected"  # accepted before, and another: the last word counts
    REFUSED = "refused"  # 4xx: a whole request, once
    UNAVAILABLE = "unavailable"  # 503: a whole request, once


class Metrics:
    """The metrics of one server. A registry of its own, so that two applications in one process do not add up."""

    def __init__(self, *, model: str, version: str, digest: str, beside: bool = False) -> None:
        """All at zero.

        Args:
            beside: whether the model stands beside the main one, with whose metrics the process's own are told.
        """
        self.registry = CollectorRegistry()
        labels = {"model": model, "model_version": version}
        if beside:
            labels["beside"] = model
        else:
            ProcessCollector(registry=self.registry)
        names, values = tuple(labels), tuple(labels.values())
        requests = Counter(
            "mainline_requests",
            "Requests for predictions by outcome.",
            (*names, "outcome"),
            registry=self.registry,
        )
        # All children exist from the start: a rate over a counter that appears with its first event misses that event.
        self.requests = {outcome: requests.labels(*values, outcome.value) for outcome in Outcome}
        self.seconds = Durations(
            "mainline_request_duration_seconds",
            "Time from a request's first byte at the application to its answer's last, for answered requests.",
            labels,
            buckets=BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.rows = Counter(
            "mainline_predicted_rows", "Rows that were answered.", names, registry=self.registry
        ).labels(*values)
        self.in_flight = Gauge(
            "mainline_requests_in_flight", "Requests for predictions being handled now.", names, registry=self.registry
        ).labels(*values)
        self.ready = Gauge(
            "mainline_ready", "1 while verified, self-tested and not draining.", names, registry=self.registry
        ).labels(*values)
        self.load_seconds = Gauge(
            "mainline_model_load_seconds",
            "Time to fetch, verify, load and self-test the bundle.",
            names,
            registry=self.registry,
        ).labels(*values)
        self.capture_dropped = Counter(
            "mainline_capture_dropped", "Requests that the capture log gave up.", names, registry=self.registry
        ).labels(*values)
        self.captured = Counter(
            "mainline_captured", "Requests that the capture log wrote.", names, registry=self.registry
        ).labels(*values)
        self.capture_dropped_rows = Counter(
            "mainline_capture_dropped_rows", "Rows that the capture log gave up.", names, registry=self.registry
        ).labels(*values)
        self.captured_rows = Counter(
            "mainline_captured_rows", "Rows that the capture log wrote.", names, registry=self.registry
        ).labels(*values)
        feedback = Counter(
            "mainline_feedback", "Truths told to /feedback by outcome.", (*names, "outcome"), registry=self.registry
        )
        self.feedback = {outcome: feedback.labels(*values, outcome.value) for outcome in FeedbackOutcome}
        self.feedback_written = Counter(
            "mainline_feedback_written", "Truths that the capture log holds.", names, registry=self.registry
        ).labels(*values)
        self.feedback_dropped = Counter(
            "mainline_feedback_dropped",
            "Truths that were accepted and could not be written.",
            names,
            registry=self.registry,
        ).labels(*values)
        self._names, self._values = names, values
        Gauge(
            "mainline_model_info",
            "Always 1; joins model and version to the digest.",
            (*names, "digest"),
            registry=self.registry,
        ).labels(*values, digest).set(1)

    def watch_live_quality(self, live: LiveQuality, *, classes: bool) -> None:
        """Tells, at each scrape, how good the answers in the window of `live` were."""

        def gauge(name: str, text: str, read: Callable[[], float]) -> None:
            words = f"{text}, over the latest truths told to this pod about answers of its own."
            Gauge(name, words, self._names, registry=self.registry).labels(*self._values).set_function(read)

        gauge("mainline_live_quality_rows", "Rows whose answer is compared with the truth", lambda: live.n_rows)
        if classes:
            gauge("mainline_live_accuracy_ratio", "Share of classes that were true", lambda: 1.0 - live.mean_loss)
        else:
            gauge("mainline_live_absolute_error", "Mean, in the target's unit", lambda: live.mean_loss)

    def show_memory(self, n_bytes: int) -> None:
        """Shows what the model takes."""
        Gauge(
            "mainline_model_memory_bytes",
            "Growth of the process while the model was loaded, which is roughly what it takes.",
            self._names,
            registry=self.registry,
        ).labels(*self._values).set(n_bytes)
