"""Judgements as the judge makes them, for the tests of routes, shelf and report."""

from datetime import UTC, datetime, timedelta

from models.verdict import Verdict
from services.drift.judgement import Finding, Histogram, Judgement, Party, State

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CANDIDATE = Party("iris", "8", "sha256:" + "ab" * 32, "7c9d4f8b6")
STABLE = Party("iris", "7", "sha256:" + "cd" * 32, "5d8f7c9b5")
BARS = tuple(f"{0.1 * index:.1f}" for index in range(20))


def finding(name: str, state: State, *, text: str = "") -> Finding:
    """One feature's finding with a histogram."""
    return Finding(
        name=name,
        unit="cm",
        state=state,
        method="wasserstein",
        distance=2.2 if state is not State.STEADY else 0.05,
        limit=0.2,
        p_value=1e-40 if state is not State.STEADY else 0.4,
        level=0.00025,
        text=text or f"{name} speaks",
        remedy=f"look at {name}" if state is State.OWN else "",
        histogram=Histogram(BARS, (0.05,) * 20, (0.0,) * 10 + (0.1,) * 10),
    )


def failing(*findings: Finding) -> Judgement:
    """A judgement that fails the candidate."""
    return Judgement(
        verdict=Verdict.FAIL,
        reason="petal_length moved by 2.2 standard deviations for the candidate alone (limit 0.2)",
        warnings=("petal_width moved for stable too: retrain",),
        numbers={"worst_distance": 2.2, "not_told": float("nan")},
        rows={"candidate": 612, "candidate_distinct": 570, "stable": 1830},
        findings=findings or (finding("petal_length", State.OWN), finding("sepal_width", State.STEADY)),
        method=("Kolmogorov-Smirnov on distinct rows", "one look at a fixed size"),
        begin=NOW - timedelta(minutes=5),
        end=NOW,
        candidate=CANDIDATE,
        stable=STABLE,
    )
