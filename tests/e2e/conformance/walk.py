"""A Rollout on its way through the real controller: how it ended, at which step, with which pods and traffic."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.conformance import theirs
from tests.e2e.conformance.manifests import Object
from tests.e2e.conformance.seen import Pods, Rolled
from tests.e2e.conformance.watched import State

REVISION = "rollout.argoproj.io/revision"
HASH = "rollouts-pod-template-hash"
# All states of each of its ReplicaSets, by name.
Sets = Mapping[str, Sequence[State]]


@dataclass
class Walk:
    """A rollout since an update that made its spec this generation, which was at `begun`."""

    begun: float
    generation: int
    step: int = -1
    _weighed: list[tuple[int, str]] = field(default_factory=list)
    _end: tuple[float, str, Object] | None = None

    def follow(self, states: Iterable[State]) -> None:
        """Takes the states that came."""
        for at, state in states:
            status = state.get("status", {})
            if int(status.get("observedGeneration", 0)) < self.generation:
                continue
            if not status.get("abort"):
                self._step(state)
            ending = _ending(state)
            began = self._end[0] if self._end is not None and self._end[1] == ending else at
            self._end = (began, ending, state) if ending else None

    def ended(self, runs: Sequence[Object], sets: Sets) -> bool:
        """Whether it goes no further, neither do its analyses, and an aborted one's traffic is back at stable."""
        if self._end is None or not all(theirs.completed(each) for each in runs):
            return False
        _, ending, state = self._end
        return ending != "aborted" or _share(state, sets) == 0

    def read(self, runs: Sequence[Object], sets: Sets) -> Rolled:
        """How it ended; of one that did not, how far it came."""
        at, ending, state = self._end or (self.begun, "still goes on", {})
        return Rolled(
            ending=ending,
            step=self.step,
            message=_message(state),
            gates=theirs.gates(runs),
            verdicts=theirs.verdicts(runs),
            pods=tuple(_pods(sets, version, pod_hash) for version, pod_hash in self._weighed),
            share=_share(state, sets),
            seconds=round(at - self.begun, 1),
        )

    def _step(self, state: Object) -> None:
        status, steps = state["status"], _steps(state)
        now = int(status.get("currentStepIndex", -1))
        if now == self.step + 1 > 0 and "setWeight" in steps[self.step]:
            version = int(state["metadata"]["resourceVersion"])
            self._weighed.append((version, status["currentPodHash"]))
        self.step = now


def stands(rollout: Object | None, revision: int) -> bool:
    """Whether this revision, or a later one, is promoted."""
    if rollout is None or int(rollout["metadata"].get("annotations", {}).get(REVISION, 0)) < revision:
        return False
    status = rollout.get("status", {})
    seen = int(status.get("observedGeneration", 0)) >= rollout["metadata"]["generation"]
    return seen and _promoted(status)


def invalid(state: Object | None) -> str:
    """Why the controller refuses a Rollout; empty where it does not."""
    conditions = (state or {}).get("status", {}).get("conditions", [])
    return next((str(each["message"]) for each in conditions if each["type"] == "InvalidSpec"), "")


def _promoted(status: Mapping[str, Any]) -> bool:
    return status.get("phase") == "Healthy" and status.get("stableRS") == status.get("currentPodHash")


def _ending(state: Object) -> str:
    status = state["status"]
    if status.get("abort"):
        return "aborted"
    if _promoted(status):
        return "promoted"
    hangs = status.get("phase") == "Degraded"
    return (
        "paused" if hangs or any(_for_ever(state, each["reason"]) for each in status.get("pauseConditions", [])) else ""
    )


def _for_ever(state: Object, reason: str) -> bool:
    """Whether a pause waits for a person."""
    if reason == "CanaryPauseStep":
        step = dict(enumerate(_steps(state))).get(state["status"].get("currentStepIndex", -1), {})
        return not (step.get("pause") or {}).get("duration")
    if reason == "BlueGreenPause":
        return not state["spec"]["strategy"]["blueGreen"].get("autoPromotionSeconds")
    return True


def _message(state: Object) -> str:
    status = state.get("status", {})
    reasons = [str(each["reason"]) for each in status.get("pauseConditions", [])]
    return ", ".join(reasons) or ("" if not state or _promoted(status) else str(status.get("message", "")))


def _steps(state: Object) -> list[Any]:
    found: list[Any] = (state["spec"]["strategy"].get("canary") or {}).get("steps") or []
    return found


def _pods(sets: Sets, version: int, pod_hash: str) -> Pods:
    """Pods that were asked for of the newest revision and of the others, when the server had reached `version`."""
    found = {True: 0, False: 0}
    for states in sets.values():
        before = [each for _, each in states if int(each["metadata"]["resourceVersion"]) <= version]
        if before:
            found[before[-1]["metadata"]["labels"][HASH] == pod_hash] += before[-1]["spec"]["replicas"]
    return found[True], found[False]


def _share(state: Object, sets: Sets) -> float:
    """Percent of the traffic that the newest revision has now."""
    if not state:
        return 0.0
    status = state["status"]
    if "blueGreen" in state["spec"]["strategy"]:
        return 100.0 if status["blueGreen"].get("activeSelector") == status["currentPodHash"] else 0.0
    if _promoted(status):
        return 100.0
    weights = status.get("canary", {}).get("weights")
    if weights:
        return 1.0 * int(weights["canary"]["weight"])
    latest = [states[-1][1] for states in sets.values()]
    available = {each["metadata"]["labels"][HASH]: int(each["status"].get("availableReplicas", 0)) for each in latest}
    return round(100.0 * available.get(status["currentPodHash"], 0) / max(sum(available.values()), 1), 1)
