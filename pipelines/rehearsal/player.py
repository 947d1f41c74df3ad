"""What canary and blue-green share: time that passes while analyses measure, pods that become ready, and the log.

One clock, the world's. Whatever the rollout waits for, every running analysis takes its measurements meanwhile, and one
beside the steps may halt it at any moment.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.rehearsal.analysis import AnalysisRun, MetricResult
from pipelines.rehearsal.contract import Ending, Event, Measured, Phase, Split, World
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.rollout import Analysis, Pods
from pipelines.rehearsal.words import shown, why

POLL_SECONDS = 1.0


class Halted(Exception):  # noqa: N818  (what happened)
    """The rollout goes no further: aborted, or paused for a person."""

    def __init__(self, ending: Ending, reason: str, *, message: str = "", metric: Metric | None = None) -> None:
        super().__init__(reason)
        self.ending, self.reason, self.message, self.metric = ending, reason, message or reason, metric


@dataclass
class Running:
    """An analysis under way. `role` is Argo's name for its kind; only `background` may halt the rollout by itself."""

    role: str
    label: str
    run: AnalysisRun


@dataclass
class Player:
    """The state of one rollout as it is played."""

    world: World
    pods: Pods
    on_event: Callable[[Event], None] | None = None
    share: float = 0.0
    step: int = -1
    label: str = ""
    progressed: float = 0.0
    events: list[Event] = field(default_factory=list)
    verdicts: dict[str, Phase] = field(default_factory=dict)
    running: list[Running] = field(default_factory=list)
    began: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.progressed = self.world.now()

    def log(
        self,
        kind: str,
        message: str = "",
        *,
        label: str = "",
        metric: str = "",
        value: object = None,
        phase: Phase | None = None,
        link: str = "",
    ) -> None:
        """Add one event and tell whoever watches."""
        event = Event(
            time=self.world.now() - self.began,
            kind=kind,
            step=self.step,
            label=label or self.label,
            share=self.share,
            metric=metric,
            value=value,
            phase=phase,
            message=message,
            link=link,
        )
        self.events.append(event)
        if self.on_event is not None:
            self.on_event(event)

    def enter(self, step: int, label: str) -> None:
        """Begin a step."""
        self.step, self.label, self.progressed = step, label, self.world.now()
        self.log("step", label)

    def split(self, candidate: int, stable: int, share: float) -> None:
        """Have so many pods and this share of traffic for the candidate."""
        self.share = share
        self.world.split(Split(candidate_pods=candidate, stable_pods=stable, share=share))
        self.log("split", f"{candidate} candidate, {stable} stable, {share:.0%} of traffic")

    def start(self, analysis: Analysis, role: str) -> Running:
        """Begin an analysis; it measures whenever time passes."""
        started = Running(role, analysis.label, AnalysisRun(analysis.metrics, self.world.now()))
        self.running.append(started)
        self.log("analysis", f"{role} analysis begins", label=analysis.label, phase=Phase.RUNNING)
        return started

    def conduct(self, analysis: Analysis, role: str, *, deadline: float = math.inf) -> None:
        """Run an analysis to its end.

        Raises:
            Halted: it failed, erred or stayed undecided, or took longer than `deadline` (a time of the world's clock).
        """
        started = self.start(analysis, role)
        self.elapse(deadline, lambda: started.run.phase.completed)
        if not started.run.phase.completed:
            self.timed_out()
        self.heed(started)

    def heed(self, ended: Running) -> None:
        """Halt if an analysis ended badly."""
        run, worst = ended.run, ended.run.decisive
        if worst is None:
            return
        bad = [each for each in run.results.values() if each.phase is run.phase and not each.metric.dry_run]
        reason = "; ".join(map(why, bad))
        if run.phase is Phase.INCONCLUSIVE:
            raise Halted(Ending.PAUSED, reason, message=run.message or "InconclusiveAnalysisRun", metric=worst.metric)
        message = f"{ended.role} analysis phase error/failed"
        raise Halted(
            Ending.ABORTED, reason, message=f"{message}: {run.message}" if run.message else message, metric=worst.metric
        )

    def elapse(self, until: float, done: Callable[[], bool] | None = None) -> None:
        """Let time pass until then or until done, with all measurements that fall due.

        Raises:
            Halted: by an analysis beside the steps.
        """
        while True:
            self._measure()
            now = self.world.now()
            if (done is not None and done()) or now >= until:
                return
            times = (each.run.next_due() for each in self.running)
            then = min((at for at in times if at is not None), default=until)
            if math.isinf(then := min(then, until)):
                raise RuntimeError(f"step {self.label!r} waits for an analysis that asks nothing any more")
            self.world.wait(max(then, now))

    def await_ready(self) -> None:
        """Wait until the candidate's pods are ready and stayed so for minReadySeconds.

        Raises:
            Halted: they were not within progressDeadlineSeconds.
        """
        deadline = self.world.now() + self.pods.deadline_seconds
        while True:
            if self.world.available("candidate"):
                self.elapse(self.world.now() + self.pods.min_ready_seconds)
                if self.world.available("candidate"):
                    self.progressed = self.world.now()
                    self.log("ready", "the candidate's pods are ready")
                    return
            now = self.world.now()
            if now >= deadline:
                self.timed_out()
            self.elapse(min(now + POLL_SECONDS, deadline))

    def timed_out(self) -> None:
        """Halt for lack of progress."""
        seconds = self.pods.deadline_seconds
        if self.pods.deadline_aborts:
            reason = f"no progress within {seconds:g} s (progressDeadlineSeconds)"
            raise Halted(Ending.ABORTED, reason, message="ReplicaSet has timed out progressing.")
        reason = f"no progress within {seconds:g} s and progressDeadlineAbort is off: it hangs until a person acts"
        raise Halted(Ending.PAUSED, reason, message="ReplicaSet has timed out progressing.")

    def finish(self) -> None:
        """End the analyses that still run, as Argo Rollouts does when a rollout is over."""
        for each in self.running:
            each.run.terminate()
            self._report(each)
        self.running = []

    def _measure(self) -> None:
        for each in list(self.running):
            due = each.run.due(self.world.now())
            if not due:
                continue
            before = {name: result.phase for name, result in each.run.results.items()}
            for metric in due:
                self._one(each, metric, self.world.measure(metric))
            each.run.assess()
            for name, result in each.run.results.items():
                if result.phase is not before[name] and result.phase.completed:
                    self._ended(each, result)
            if each.run.phase.completed:
                self.running.remove(each)
                self._report(each)
                if each.role == "Background":
                    self.heed(each)

    def _one(self, running: Running, metric: Metric, measured: Measured) -> None:
        measurement = running.run.record(metric.name, measured, self.world.now())
        self.log(
            "measurement",
            measurement.message or measurement.detail or shown(measurement.value),
            label=running.label,
            metric=metric.name,
            value=measurement.value,
            phase=measurement.phase,
            link=measurement.link,
        )

    def _ended(self, running: Running, result: MetricResult) -> None:
        good = result.phase is Phase.SUCCESSFUL
        message = "passed" if good else why(result)
        self.log("metric", message, label=running.label, metric=result.metric.name, phase=result.phase)

    def _report(self, ended: Running) -> None:
        for name, result in ended.run.results.items():
            if result.last is not None:
                key, again = name, 2
                while key in self.verdicts:
                    key, again = f"{name}#{again}", again + 1
                self.verdicts[key] = result.phase
        self.log("analysis", ended.run.message, label=ended.label, phase=ended.run.phase)
