"""What became of a case, in words that both sides can say: the rehearsal's engine and the real controller."""

from dataclasses import dataclass, field

Pods = tuple[int, int]


@dataclass(frozen=True)
class Measurement:
    """One measurement: its phase, why it is an error, and the value as JSON."""

    phase: str
    message: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """An analysis run that ended, or was still running when its answers were used up.

    Attributes:
        refused: why it was not run at all.
        phases: of the measurements, by metric.
        ends: phase of each metric that was measured.
        times: seconds from the first measurement of the run until each of a metric's.
    """

    run: str = ""
    message: str = ""
    refused: str = ""
    phases: dict[str, list[str]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rolled:
    """A rollout that ended.

    Attributes:
        ending: promoted, aborted, paused.
        step: of the canary, at which it ended.
        message: of an abort; why it pauses otherwise.
        gates: metrics that closed.
        verdicts: phase of each metric that was measured, `name#2` where it ran again.
        pods: of candidate and stable at the end of each step that sets a weight.
        share: percent of the traffic that the candidate has at the end.
        seconds: from the update.
    """

    ending: str = ""
    refused: str = ""
    step: int = -1
    message: str = ""
    gates: tuple[str, ...] = ()
    verdicts: dict[str, str] = field(default_factory=dict)
    pods: tuple[Pods, ...] = ()
    share: float = 0.0
    seconds: float = 0.0
