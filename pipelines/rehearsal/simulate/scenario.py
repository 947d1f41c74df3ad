"""One simulated rollout before it begins: which model and versions, which world, how much traffic, what breaks."""

from dataclasses import dataclass, field

from pipelines.rehearsal.simulate.behaviour import Behaviour
from pipelines.rehearsal.simulate.load import Traffic


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is wrong with the gates themselves, not with the candidate.

    Attributes:
        prometheus_down, judge_down: no answer, ever.
        judge_slow: it answers after its caller's patience.
        capture_empty: the capture log has no rows.
        former_pods: healthy pods of a former revision, with the canary's role but another hash, still answer.
        skew_seconds: by which the pods' clocks are ahead of everybody else's.
    """

    prometheus_down: bool = False
    judge_down: bool = False
    judge_slow: bool = False
    capture_empty: bool = False
    former_pods: bool = False
    skew_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens, all of it decided by `seed`.

    Attributes:
        kind: of damage, or of what is good.
        strength: of the damage, for people; `value` is the number that sorts and is compared with claims.
        good: whether promoting it is right.
        model: whose rows and gates.
        stable, candidate: names of recipes.
        drift: of the world that traffic is drawn from.
        fails_on: a feature and a category whose rows the candidate fails; their share is in `candidate_servers`.
    """

    kind: str
    strength: str
    value: float
    good: bool
    model: str
    stable: str = "stable"
    candidate: str = "stable"
    drift: float = 0.0
    stable_servers: Behaviour = field(default_factory=Behaviour)
    candidate_servers: Behaviour = field(default_factory=Behaviour)
    fails_on: tuple[str, str] | None = None
    traffic: Traffic = field(default_factory=lambda: Traffic(20.0))
    faults: Faults = field(default_factory=Faults)
    seed: int = 0
