"""All cases on a real controller, begun one after another and played side by side until each has ended."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from pipelines.kube import ANALYSIS_RUN, ROLLOUT
from tests.e2e.conformance.acts import Act, House, Once, Rollout, Run
from tests.e2e.conformance.manifests import Object
from tests.e2e.conformance.passing import Passes, Passing
from tests.e2e.conformance.seen import Analysis, Measurement, Rolled
from tests.e2e.conformance.stage import Stage
from tests.e2e.conformance.table import Case
from tests.e2e.conformance.watched import Watched
from tests.e2e.waiting import say

# The controller asks the API server 40 times a second at most: all at once, they would wait for each other.
PACE_SECONDS = 1.1
# What may pass between the end on the rehearsal's own clock and a controller's on busy cores.
_SLACK_SECONDS = 40.0
_LOOK_SECONDS = 0.1
_REPLICA_SET = ("apps/v1", "ReplicaSet")


@dataclass(frozen=True, kw_only=True)
class Programme:
    """What is played.

    Attributes:
        runs: rows of cases.yaml, each an AnalysisRun by itself.
        asking: rows of cases.yaml that are about arguments: each the analysis of a Rollout.
        rollouts: rows of rollouts.yaml.
        once: metrics that are measured once, by the name of the AnalysisRun that has them.
        arguments: a Rollout and the AnalysisTemplate whose arguments it passes.
    """

    runs: Sequence[Case]
    asking: Sequence[Case]
    rollouts: Sequence[Case]
    once: Mapping[str, Sequence[Object]]
    arguments: Passing


@dataclass
class Played:
    """What the controller made of each case, by its key; of what is measured once, by metric."""

    analyses: dict[str, Analysis] = field(default_factory=dict)
    rollouts: dict[str, Rolled] = field(default_factory=dict)
    once: dict[str, Measurement] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def play(stage: Stage, programme: Programme) -> Played:
    """To the end of each; one that does not end in time is read as it stands."""
    begun = time.monotonic()
    kinds = (ANALYSIS_RUN, ROLLOUT, _REPLICA_SET)
    runs, rollouts, sets = watched = [Watched(stage.kube, kind) for kind in kinds]
    house = House(stage.kube, runs, rollouts, sets, stage.address)
    asking = [Rollout(house, case) for case in programme.asking]
    walking = [Rollout(house, case) for case in programme.rollouts]
    alone = [Run(house, case) for case in programme.runs]
    once = [Once(house, name, list(metrics)) for name, metrics in programme.once.items()]
    passing = Passes(house, programme.arguments)
    try:
        _perform(_in_turns([*asking, *walking, passing], [*alone, *once]))
        asked, played = stage.asked(), Played()
        played.analyses = {act.name: act.read(asked) for act in alone}
        played.analyses |= {act.name: act.read_analysis(asked) for act in asking}
        played.rollouts = {act.name: act.read() for act in walking}
        played.once = {name: seen for act in once for name, seen in act.read().items()}
        played.arguments = passing.read()
    finally:
        for each in watched:
            each.end()
    played.seconds = round(time.monotonic() - begun, 1)
    return played


def _in_turns(rollouts: Sequence[Act], runs: Sequence[Act]) -> list[Act]:
    """The longest first, and not the many requests of Rollouts all at the beginning."""
    kinds = (sorted(each, key=lambda act: act.expected, reverse=True) for each in (rollouts, runs))
    return [act for pair in zip_longest(*kinds) for act in pair if act is not None]


def _perform(acts: Sequence[Act]) -> None:
    """Each when its turn comes."""
    waiting = list(reversed(acts))
    going: dict[str, tuple[Act, float]] = {}
    turn = time.monotonic()
    while waiting or going:
        now = time.monotonic()
        if waiting and now >= turn:
            act = waiting.pop()
            act.start()
            going[act.name] = act, now + act.expected + _SLACK_SECONDS
            turn = now + PACE_SECONDS
        for name, (act, until) in list(going.items()):
            late = now > until
            if late:
                say(f"{name} does not end")
            if late or act.ended():
                del going[name]
        time.sleep(_LOOK_SECONDS)
