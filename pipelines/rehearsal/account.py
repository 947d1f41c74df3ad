"""What happened, told in the record's words: the machine's events, the world's samples and the judge's shelf."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.rehearsal import wording
from pipelines.rehearsal.contract import Ending, Event, Outcome, Phase
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.record import Distance, Gate, Mark, Measurement, Point
from pipelines.rehearsal.words import shown
from pipelines.rehearsal.world import Asked, Sample
from services.drift.shelf import Shelf


@dataclass
class _Asking:
    """One metric of one analysis run while its events are read."""

    where: str
    name: str
    value: str = ""
    phase: Phase | None = None
    measurements: int = 0
    time: float = 0.0
    said: str = ""
    link: str = ""


@dataclass
class _Books:
    """The runs of each analysis, by its label; events name the label alone."""

    runs: dict[str, list[dict[str, _Asking]]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)

    def read(self, event: Event) -> None:
        if event.kind == "analysis" and event.phase is Phase.RUNNING:
            self.runs.setdefault(event.label, []).append({})
            self.where[event.label] = _where(event)
        elif event.kind in ("measurement", "metric") and event.label in self.runs:
            latest = self.runs[event.label][-1]
            asking = latest.setdefault(event.metric, _Asking(self.where[event.label], event.metric))
            asking.time = event.time
            if event.kind == "metric":
                asking.phase = event.phase
            else:
                asking.measurements += 1
                asking.value = wording.value(event.value) if event.phase is not Phase.ERROR else "error"
                asking.said = "" if event.message == shown(event.value) else event.message
                asking.link = event.link


def _where(event: Event) -> str:
    """Where in the rollout an analysis began."""
    for begins, where in (("Background", "background"), ("Blue/green pre", "preview"), ("Blue/green post", "switched")):
        if event.message.startswith(begins):
            return where
    return f"step {event.step + 1}"


class Heard:
    """Passes events on and keeps them, for a walk that does not end by itself."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """One event of the step machine."""
        self._events.append(event)
        self._on_event(event)

    def unfinished(self, reason: str, seconds: float) -> Outcome:
        """Paused where it stood: nothing promoted it."""
        last = self._events[-1] if self._events else None
        return Outcome(
            ending=Ending.PAUSED,
            reason=f"{reason} ({last.label})" if last else reason,
            step=last.step if last else -1,
            share=last.share if last else 0.0,
            seconds=seconds,
            events=tuple(self._events),
        )


def gates(outcome: Outcome, metrics: Mapping[str, Metric], links: Mapping[str, str]) -> tuple[Gate, ...]:
    """Each metric of each analysis, in the order of their first measurement.

    Args:
        outcome: the machine's.
        metrics: by name.
        links: the file that a judge's report was saved in, by its address.
    """
    books = _Books()
    for event in outcome.events:
        books.read(event)
    askings = [asking for runs in books.runs.values() for run in runs for asking in run.values()]
    decided = max((a.time for a in askings if a.name == outcome.gate), default=-1.0)
    return tuple(
        Gate(
            name=asking.name,
            template=metrics[asking.name].template,
            where=asking.where,
            verdict=_verdict(asking),
            value=asking.value,
            rule=wording.rule(metrics[asking.name]),
            measurements=asking.measurements,
            seconds=asking.time,
            reason=asking.said,
            link=links.get(asking.link, ""),
            decided=asking.name == outcome.gate and asking.time == decided,
        )
        for asking in sorted(askings, key=lambda asking: asking.time)
        if asking.name in metrics
    )


def _verdict(asking: _Asking) -> str:
    """A guard beside the steps is cut short when they end: then all that is known is that it did not close."""
    if asking.phase is None and asking.where == "background":
        return "did not close"
    return wording.verdict(asking.phase)


def marks(outcome: Outcome) -> tuple[Mark, ...]:
    """The steps, as they began; blue-green's have no number of their own and are counted."""
    begun = [event for event in outcome.events if event.kind == "step"]
    return tuple(
        Mark(time=event.time, step=index, label=event.label, kind="step", message=event.message)
        for index, event in enumerate(begun)
    )


def measurements(outcome: Outcome) -> tuple[Measurement, ...]:
    """Every answer of every gate, in order."""
    return tuple(
        Measurement(
            time=event.time,
            analysis=event.label,
            metric=event.metric,
            value=shown(event.value),
            phase=event.phase.value if event.phase is not None else "",
            message=event.message,
        )
        for event in outcome.events
        if event.kind == "measurement"
    )


def points(samples: Sequence[Sample]) -> tuple[Point, ...]:
    """What callers saw, second by second."""
    return tuple(
        Point(
            time=sample.time,
            share=sample.share,
            requests=sample.candidate.requests,
            error_ratio=sample.candidate.error_ratio,
            p99_seconds=sample.candidate.p99_seconds,
            stable_requests=sample.stable.requests,
            stable_error_ratio=sample.stable.error_ratio,
            stable_p99_seconds=sample.stable.p99_seconds,
            memory_bytes=sample.memory_bytes,
            restarts=sample.restarts,
        )
        for sample in samples
        if sample.time > 0  # before, stable was alone
    )


def distances(asked: Iterable[Asked], reports: Path) -> tuple[Distance, ...]:
    """What the judge found at its last look of each check, from the shelf that it keeps in `reports`."""
    looks = [each for each in asked if each.document.get("check")]
    found: list[Distance] = []
    shelf = Shelf(reports, max_reports=1000)
    for name in {str(each.document["report"]).rpartition("/")[2] for each in looks if each.document.get("report")}:
        for check, entry in shelf.report(name).items():
            last = [each for each in looks if each.document["check"] == check][-1:]
            found += [
                Distance(
                    time=last[0].time,
                    gate=last[0].metric.name,
                    name=finding.name,
                    state=finding.state.value,
                    distance=finding.distance,
                    limit=finding.limit,
                    p_value=finding.p_value,
                    level=finding.level,
                    text=finding.text,
                )
                for finding in entry.judgement.findings
                if last
            ]
    return tuple(found)


def exit_code(ending: str) -> int:
    """0 promoted or nothing to do, 3 aborted, 4 paused."""
    return {Ending.ABORTED.value: 3, Ending.PAUSED.value: 4}.get(ending, 0)
