"""A rehearsal that was aborted, made up, for tests of what is written about it."""

import math

from pipelines.rehearsal.record import Distance, Gate, Mark, Point, Rehearsal, TrafficUsed, Version


def version(number: str, ref: str) -> Version:
    digit = number[-1]
    return Version(
        ref=ref, commit=digit * 40, version=number, digest=f"sha256:{digit * 64}", hash=f"6f9c{digit}b2d1{digit}"
    )


def point(time: float, share: float) -> Point:
    bad = share > 0 and time > 24
    return Point(
        time=time,
        share=share,
        requests=round(200 * share),
        error_ratio=(0.06 if bad else 0.0) if share else None,
        p99_seconds=0.004 + 0.001 * math.sin(time) if share else None,
        stable_requests=round(200 * (1 - share)),
        stable_error_ratio=0.0,
        stable_p99_seconds=0.004 + 0.0005 * math.cos(time),
        memory_bytes=round(104e6 + 1e5 * time),
    )


def gate(name: str, where: str, verdict: str, value: str, rule: str, *, decided: bool = False, link: str = "") -> Gate:
    return Gate(
        name=name,
        template=name,
        where=where,
        verdict=verdict,
        value=value,
        rule=rule,
        measurements=1,
        seconds=22.5,
        reason="the candidate's rows | look <alike>" if link else "",
        link=link,
        decided=decided,
    )


def aborted() -> Rehearsal:
    """Promising at a quarter of the traffic, then one request in sixteen fails."""
    steps = ("setWeight 25", "pause 2s", "analysis enough-samples", "analysis error-ratio, latency", "setWeight 50")
    times = (0.5, 2.0, 4.0, 18.0, 23.0)
    features = ("age", "bmi", "blood_pressure", "glucose")
    return Rehearsal(
        model="diabetes",
        environment="production",
        started="2026-11-21T16:00:00+00:00",
        ending="aborted",
        reason="error-ratio: 0.0617, must be at most 0.005 (step 5, setWeight 50)",
        strategy="canary",
        gate="error-ratio",
        template="error-ratio",
        step=4,
        steps=7,
        seconds=31.0,
        took_seconds=39.5,
        base=version("1", "main"),
        head=version("2", "propose/production/diabetes/2"),
        traffic=TrafficUsed(
            source="113 held-out rows of version 1",
            rows=113,
            rate=200.0,
            seed=7,
            sent={"stable": 4700, "candidate": 1500},
            errors={"stable": 0, "candidate": 31},
        ),
        prometheus="2.42.0+ds",
        notes=("The templates at both refs differ in the release alone.",),
        gates=(
            gate("enough-requests", "step 3", "pass", "612", "value >= 500"),
            gate("input-drift", "step 4", "pass", "pass", 'value == "pass"', link="judge/diabetes-2.html"),
            gate("latency", "step 4", "inconclusive", "none", "value <= 0.1"),
            gate("error-ratio", "step 7", "fail", "0.0617", "value <= 0.005", decided=True),
        ),
        distances=tuple(
            Distance(
                time=21.0,
                gate="input-drift",
                name=name,
                state="own" if index == 2 else "steady",
                distance=(0.05, 0.02, 0.31, math.nan)[index],
                limit=0.2,
                p_value=0.4,
                level=0.001,
            )
            for index, name in enumerate(features)
        ),
        marks=tuple(
            Mark(time=time, step=index, label=label, kind="step")
            for index, (time, label) in enumerate(zip(times, steps, strict=True))
        ),
        points=tuple(point(float(t), 0.0 if t < 1 else 0.25 if t < 23 else 0.5) for t in range(1, 32)),
    )
