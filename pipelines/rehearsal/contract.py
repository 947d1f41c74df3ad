"""What the step machine asks of the world that it moves through, and what it says of the way.

A world is real processes, a real Prometheus and a real judge, or a simulated one with a clock of its own: the machine
cannot tell, and does no I/O itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pipelines.rehearsal.metric import Metric


class Phase(StrEnum):
    """Argo Rollouts' phases of a measurement, a metric and an analysis run."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"

    @property
    def completed(self) -> bool:
        """Whether it will not change any more."""
        return self not in (Phase.PENDING, Phase.RUNNING)


class Ending(StrEnum):
    """How a rollout ended here. Paused means: a person has to decide. Unchanged: there was nothing to roll out."""

    PROMOTED = "promoted"
    ABORTED = "aborted"
    PAUSED = "paused"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What measuring a metric gave.

    Attributes:
        value: a list or tuple of floats for a Prometheus vector, a float for a scalar, the decoded JSON at the path for
            web.
        error: why there is no value: unreachable, timeout, not 2xx, path not found. Empty where there is one.
        unread: the web answer was no JSON; Argo Rollouts takes that as success whatever the conditions say.
        detail: words for a person that came with it, such as the judge's reason.
        link: where to read more, such as the judge's report.
    """

    value: object = None
    error: str = ""
    unread: bool = False
    detail: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Pods and traffic of the two versions. `share` of traffic, 0 to 1, goes to the candidate."""

    candidate_pods: int
    stable_pods: int
    share: float


class World(Protocol):
    """What a rollout moves through."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def wait(self, until: float) -> None:
        """Let time pass until `now()` is at least `until`; traffic goes on meanwhile."""

    def measure(self, metric: Metric) -> Measured:
        """Ask the metric's provider once. Never raises for what the provider does."""

    def split(self, split: Split) -> None:
        """Have so many pods and send so much traffic, from now on."""

    def available(self, revision: str) -> bool:
        """Whether all pods that the last split asked for of `candidate` or `stable` are ready (their probe answers)."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened, for the live view and the report.

    Attributes:
        time: seconds since the rollout began.
        kind: step, split, ready, analysis (a run began or ended), measurement, metric (one ended) or end.
        step: index of the canary step; -1 before the first and in blue-green.
        label: the step or the analysis in words: `setWeight 25`, `analysis error-ratio`, `background`, `pre-promotion`.
        share: traffic of the candidate at that moment, 0 to 1.
        metric: the metric's name where there is one.
        value: what was measured.
        phase: of the measurement, metric or run.
        message: one line for a person.
    """

    time: float
    kind: str
    step: int
    label: str
    share: float
    metric: str = ""
    value: object = None
    phase: Phase | None = None
    message: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How it ended, which gate decided, and why.

    Attributes:
        gate: the metric that ended it; empty where none did (promoted, deadline, a pause without an end).
        template: the AnalysisTemplate of that gate.
        reason: for a person: `error-ratio: 0.021, must be at most 0.005`.
        message: the same in Argo Rollouts' words.
        step: index of the step at which it ended; number of steps when promoted.
        share: traffic that the candidate has after the ending: 1 promoted, 0 aborted, what it had when paused.
        seconds: from the first pod of the candidate to the ending.
        verdicts: the phase of every metric that was measured, by name; `name#2` when the same name ran again.
    """

    ending: Ending
    reason: str
    gate: str = ""
    template: str = ""
    message: str = ""
    step: int = -1
    share: float = 0.0
    seconds: float = 0.0
    verdicts: Mapping[str, Phase] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
