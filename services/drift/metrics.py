"""What the judge measures of itself: who was judged how, how long it took, how many rows it read."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from models.verdict import Verdict
from services.drift.entry import Check
from services.drift.judgement import Judgement

CHECKS: tuple[Check, ...] = get_args(Check)
# A warm judgement of 5,000 rows takes below 0.5 s, the limit is 20 s.
BUCKETS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0)


class Metrics:
    """The metrics of one judge, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        judgements = Counter(
            "mainline_judgements", "Judgements by check and verdict.", ("check", "verdict"), registry=self.registry
        )
        # All children exist from the start: a rate over a counter that appears with its first event misses that event.
        self._judgements = {
            (check, verdict): judgements.labels(check, verdict.value) for check in CHECKS for verdict in Verdict
        }
        seconds = Histogram(
            "mainline_judgement_seconds",
            "Time from a request's arrival to its verdict, waiting included.",
            ("check",),
            buckets=BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._seconds = {check: seconds.labels(check) for check in CHECKS}
        rows = Counter(
            "mainline_judged_rows",
            "Rows of capture logs that judgements looked at.",
            ("check",),
            registry=self.registry,
        )
        self._rows = {check: rows.labels(check) for check in CHECKS}
        self.refused = Counter("mainline_judge_refused", "Wrong requests, answered with 4xx.", registry=self.registry)
        self.failed = Counter(
            "mainline_judge_failed", "Inconclusive because something failed inside.", registry=self.registry
        )
        self.reports_lost = Counter(
            "mainline_judge_reports_lost", "Reports that could not be kept.", registry=self.registry
        )
        self.busy = Gauge("mainline_judge_busy", "1 while a judgement is being made.", registry=self.registry)

    def judged(self, check: Check, judgement: Judgement, seconds: float) -> None:
        """Notes a judgement."""
        self._judgements[check, judgement.verdict].inc()
        self._seconds[check].observe(seconds)
        self._rows[check].inc(sum(judgement.rows.get(name, 0) for name in ("candidate", "stable")))

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
