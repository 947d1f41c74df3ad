"""What the report shows: plain values that the demo collects while it runs.

Frozen dataclasses, checked where they are made, so that `render` cannot meet a value that it has no picture for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

LINK_SCHEMES = ("", "file", "http", "https")


class Status(StrEnum):
    """How a stage ended. `STOPPED` is a refusal that was meant to happen: the demo's bad models end so."""

    OK = "ok"
    STOPPED = "stopped"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One bar of the timeline. Times are seconds since the demo began; `scene` groups stages under a heading."""

    name: str
    started_seconds: float
    seconds: float
    status: Status = Status.OK
    detail: str = ""
    scene: str = ""

    def __post_init__(self) -> None:
        """Refuse times that no axis can hold."""
        for field, value in (("started_seconds", self.started_seconds), ("seconds", self.seconds)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"stage {self.name!r}: {field}: got {value}, must be finite and not negative")


@dataclass(frozen=True, kw_only=True)
class VersionMetrics:
    """One dot of the metrics plot: a version's metric on the held-out rows, with its interval.

    `value` None or NaN means that the metric could not be computed; it is shown as such, never as zero. `verdict` is
    the gates' word (pass, fail, inconclusive). `limit` is the gate's floor or ceiling, in the metric's unit.
    """

    model: str
    version: str
    commit: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    verdict: str = "pass"
    champion: bool = False
    lower_is_better: bool = True
    limit: float | None = None
    unit: str = ""

    @property
    def measured(self) -> bool:
        """Whether there is a finite value to draw."""
        return self.value is not None and math.isfinite(self.value)


@dataclass(frozen=True, kw_only=True)
class GateRow:
    """One line of a run's verdict table; `value` and `rule` come as text, since gates differ in what they compare."""

    run: str
    gate: str
    value: str
    rule: str
    verdict: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class LineageStep:
    """One step of the walk from a prediction back to the person who approved it."""

    what: str
    value: str
    link: str | None = None

    def __post_init__(self) -> None:
        """Refuse links that a page should not carry."""
        _check_link(f"lineage {self.what!r}", self.link)


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """Something that the gates kept out: what was tried, which gate closed, on which value, against which rule."""

    what: str
    gate: str
    value: str
    rule: str
    reason: str
    run: str = ""
    commit: str = ""


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """A rollout that was rehearsed before its merge: of what, how it ended (promoted, aborted, paused), and why."""

    what: str
    version: str
    ending: str
    gate: str
    reason: str
    seconds: float
    link: str | None = None

    def __post_init__(self) -> None:
        """Refuse links that a page should not carry."""
        _check_link(f"rehearsal {self.what!r}", self.link)


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command to look further, with what it is for."""

    purpose: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Everything one run of the demo has to tell. `outcome` is one sentence; `succeeded` gives it its colour."""

    outcome: str
    succeeded: bool
    started: datetime
    seconds: float
    commit: str = ""
    summary: str = ""
    stages: tuple[Stage, ...] = ()
    metrics: tuple[VersionMetrics, ...] = ()
    gates: tuple[GateRow, ...] = ()
    stopped: tuple[Stopped, ...] = ()
    rehearsed: tuple[Rehearsed, ...] = ()
    lineage: tuple[LineageStep, ...] = ()
    commands: tuple[Command, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a time of day without its zone."""
        if self.started.tzinfo is None:
            raise ValueError(f"demo: started: got {self.started.isoformat()}, must carry a time zone (use UTC)")


def _check_link(owner: str, link: str | None) -> None:
    """`javascript:` and the like have no place in a page."""
    if link is not None and urlsplit(link).scheme.lower() not in LINK_SCHEMES:
        raise ValueError(f"{owner}: link: got {link!r}, the scheme must be file, http or https")
