"""The step machine: a Rollout walked step by step through a world, to promoted, aborted or paused.

It keeps Argo Rollouts 1.10's order of things and its rules; what is measured, and how long anything takes, is the
world's. The same code is driven by a real Prometheus and by a simulated clock.

Source: argo-rollouts v1.10.0, rollout/{canary,bluegreen,analysis,sync,pause}.go.
"""

import math
from collections.abc import Callable, Mapping

from pipelines.rehearsal.contract import Ending, Event, Measured, Outcome, Split, World
from pipelines.rehearsal.player import Halted, Player
from pipelines.rehearsal.replicas import counts, grown, routed_counts
from pipelines.rehearsal.rollout import (
    BlueGreenPlan,
    CanaryPlan,
    Given,
    Inline,
    Pause,
    Plan,
    SetWeight,
    Step,
    read,
    unchanged,
)
from pipelines.rehearsal.template import Document

__all__ = ["Ending", "Event", "Measured", "Outcome", "Split", "World", "play", "run"]


def run(
    rollout: Document,
    templates: Mapping[str, Document],
    world: World,
    *,
    stable: Document | None = None,
    candidate_hash: str = "candidate",
    stable_hash: str = "stable",
    overrides: Mapping[str, str] | None = None,
    replicas: int | None = None,
    restores: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Outcome:
    """Play one rollout to its end.

    Args:
        rollout: the candidate's Rollout, built.
        templates: the AnalysisTemplates that go with it, by name.
        stable: the Rollout that is out now; one with the same pod template leaves nothing to roll out.
        candidate_hash: pod-template hash of the candidate, for the templates' arguments; `stable_hash` of stable.
        overrides: argument values by name that win over all others.
        replicas: pods, where an autoscaler owns the number and the Rollout has none.
        restores: the candidate is a revision within `rollbackWindow`: Argo Rollouts skips every step and gate.
        on_event: is told each event as it happens.

    Raises:
        ConfigError: the Rollout or a template is wrong.
        Unsupported: one uses what is not covered; nothing was started.
    """
    given = Given(
        templates=templates,
        candidate_hash=candidate_hash,
        stable_hash=stable_hash,
        overrides=overrides or {},
        replicas=replicas,
    )
    plan = read(rollout, given)
    if stable is not None and unchanged(stable, rollout):
        return Outcome(ending=Ending.UNCHANGED, reason="the pod template is stable's: nothing rolls out")
    return play(plan, world, restores=restores, on_event=on_event)


def play(
    plan: Plan, world: World, *, restores: bool = False, on_event: Callable[[Event], None] | None = None
) -> Outcome:
    """Play a plan to its end; see `run`."""
    player = Player(world, plan.pods, on_event)
    try:
        if isinstance(plan, CanaryPlan):
            reason = _Canary(player, plan).walk(restores=restores)
        else:
            reason = _blue_green(player, plan, restores=restores)
        halted = Halted(Ending.PROMOTED, reason)
    except Halted as why:
        halted = why
    player.finish()
    if halted.ending is Ending.ABORTED:
        player.split(0, plan.pods.replicas, 0.0)
    reason = halted.reason
    if halted.ending is Ending.PAUSED and player.share == 1.0:
        reason += "; the candidate has all traffic meanwhile"
    player.log("end", f"{halted.ending}: {reason}")
    return Outcome(
        ending=halted.ending,
        reason=reason,
        gate=halted.metric.name if halted.metric else "",
        template=halted.metric.template if halted.metric else "",
        message=halted.message,
        step=player.step,
        share=player.share,
        seconds=world.now() - player.began,
        verdicts=player.verdicts,
        events=tuple(player.events),
    )


class _Canary:
    """A canary on its way: the pods that both sides have, and whether the background analysis has begun."""

    def __init__(self, player: Player, plan: CanaryPlan) -> None:
        self.player, self.plan = player, plan
        self.now = (0, plan.pods.replicas)
        self.watched = False

    def walk(self, *, restores: bool) -> str:
        """To the end; why it is promoted.

        Raises:
            Halted: it is not.
        """
        steps = () if restores else self.plan.steps
        for index, step in enumerate(steps):
            self.player.enter(index, step.label)
            self.watch(index)
            self.take(step)
        self.player.enter(len(self.plan.steps), "promote")
        if not restores:
            self.watch(len(steps))
        self.weigh(100)
        if restores:
            return "restores a revision within rollbackWindow: every step and gate was skipped"
        return f"completed all {len(steps)} canary steps"

    def watch(self, index: int) -> None:
        background = self.plan.background
        if background is not None and not self.watched and index >= self.plan.starting_step:
            self.watched = True
            self.player.start(background, "Background")

    def take(self, step: Step) -> None:
        match step:
            case SetWeight(weight=weight):
                self.weigh(weight)
            case Inline(analysis=analysis):
                self.player.conduct(analysis, "Step-based")
            case Pause(seconds=None):
                raise Halted(Ending.PAUSED, "a pause without a duration: a person promotes", message="CanaryPauseStep")
            case Pause(seconds=seconds):
                self.player.elapse(self.player.world.now() + (seconds or 0.0))

    def weigh(self, weight: int) -> None:
        """Bring pods and traffic to a weight, when the new pods are ready: without a router so many at a time as the
        surge allows."""
        pods, player = self.plan.pods, self.player
        if self.plan.routed:
            after = routed_counts(pods.replicas, weight)
            share = weight / 100
        else:
            after = counts(pods.replicas, weight, pods.surge)
            share = after[0] / max(sum(after), 1)
        while self.now[0] < after[0]:
            candidate, stable = self.now
            if self.plan.routed:
                more, kept, meanwhile = after[0], stable, player.share
            else:
                more, kept = grown(pods.replicas, pods.surge, pods.unavailable, before=self.now, after=after)
                meanwhile = candidate / max(candidate + kept, 1)
            player.split(more, kept, meanwhile)
            player.await_ready()
            self.now = more, kept
        self.now = after if weight < 100 else (after[0], 0)
        player.split(*self.now, share)


def _blue_green(player: Player, plan: BlueGreenPlan, *, restores: bool) -> str:
    """To the end; why it is promoted.

    The progress deadline runs on during both analyses: with progressDeadlineAbort it aborts one that takes longer.

    Raises:
        Halted: it is not promoted.
    """
    replicas = plan.pods.replicas
    preview = replicas if restores else plan.preview_replicas
    player.enter(-1, "preview")
    player.split(preview, replicas, 0.0)
    player.await_ready()
    if not restores:
        if plan.before is not None:
            player.label = "pre-promotion"
            player.conduct(plan.before, "Blue/green pre-promotion", deadline=_deadline(player))
        _await_promotion(player, plan)
        if preview != replicas:
            player.split(replicas, replicas, 0.0)
            player.await_ready()
    player.enter(-1, "switch")
    player.split(replicas, replicas, 1.0)
    if restores:
        return "restores a revision within rollbackWindow: every gate was skipped"
    if plan.after is not None:
        player.label = "post-promotion"
        player.conduct(plan.after, "Blue/green post-promotion", deadline=_deadline(player))
    player.split(replicas, 0, 1.0)
    return "completed the blue-green update"


def _deadline(player: Player) -> float:
    return player.progressed + player.pods.deadline_seconds if player.pods.deadline_aborts else math.inf


def _await_promotion(player: Player, plan: BlueGreenPlan) -> None:
    if not plan.automatic:
        raise Halted(Ending.PAUSED, "autoPromotionEnabled is false: a person promotes", message="BlueGreenPause")
    if plan.automatic_after_seconds:
        player.label = "pause"
        player.elapse(player.world.now() + plan.automatic_after_seconds)
