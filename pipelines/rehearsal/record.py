"""What a rehearsal leaves behind, as plain values: rehearsal.json, from which report and summary are made.

`SCHEMA` grows when a reader of the file would misread it.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipelines.jsonfile import write_json

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Version:
    """One of the two: where git says it, what it is. `hash` is the pod template's."""

    ref: str
    commit: str
    version: str
    digest: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class TrafficUsed:
    """What was replayed: `source` in words, distinct rows, requests a second, seed, requests sent by revision."""

    source: str
    rows: int
    rate: float
    seed: int
    sent: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One second: share of traffic to the candidate, and what callers of each revision saw; None without requests."""

    time: float
    share: float
    requests: int
    error_ratio: float | None
    p99_seconds: float | None
    stable_requests: int
    stable_error_ratio: float | None
    stable_p99_seconds: float | None
    memory_bytes: int | None = None
    restarts: int = 0


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A step that began or an analysis that ended, at a time."""

    time: float
    step: int
    label: str
    kind: str
    phase: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One metric of one analysis, as it ended.

    Attributes:
        name: the metric's, unique in its analysis.
        template: the AnalysisTemplate's.
        where: the step or background.
        verdict: pass, fail, inconclusive, error; `no verdict` where it was cut short.
        value: the last one measured, as text.
        rule: what the value must be, as text; the template's whole condition where it is not short.
        measurements: how many there were.
        seconds: when it ended, since the rollout began.
        reason: in words, where there are some.
        link: file of the judge's report, relative to the record; empty without one.
        decided: whether it ended the rollout.
    """

    name: str
    template: str
    where: str
    verdict: str
    value: str
    rule: str
    measurements: int
    seconds: float
    reason: str = ""
    link: str = ""
    decided: bool = False


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One answer of a gate: when, of which metric, its value as text, its phase in Argo Rollouts' words, and why."""

    time: float
    analysis: str
    metric: str
    value: str
    phase: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far one feature or output had moved when the judge was asked, and how far it may."""

    time: float
    gate: str
    name: str
    state: str
    distance: float | None
    limit: float | None
    p_value: float | None
    level: float | None
    text: str = ""

    @property
    def share(self) -> float | None:
        """Distance by limit; None where one of them is not known."""
        if self.distance is None or not math.isfinite(self.distance) or not self.limit:
            return None
        return self.distance / self.limit


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """Everything one rehearsal has to tell.

    Attributes:
        ending: promoted, aborted, paused, or `nothing` where base and head build the same.
        reason: one sentence for a person.
        gate: the metric that decided; empty where none did.
        strategy: canary, blue-green, or `first` where nothing ran before.
        seconds: of the walk; `took_seconds` with starting and ending.
        notes: what else should be known.
    """

    model: str
    environment: str
    started: str
    ending: str
    reason: str
    strategy: str
    gate: str = ""
    template: str = ""
    step: int = -1
    steps: int = 0
    share: float = 0.0
    seconds: float = 0.0
    took_seconds: float = 0.0
    base: Version
    head: Version
    traffic: TrafficUsed | None = None
    prometheus: str = ""
    notes: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    distances: tuple[Distance, ...] = ()
    marks: tuple[Mark, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    points: tuple[Point, ...] = ()

    def write(self, path: Path) -> None:
        """Writes rehearsal.json; what is not finite is null."""
        write_json(path, {"schema": SCHEMA, **asdict(self)})
