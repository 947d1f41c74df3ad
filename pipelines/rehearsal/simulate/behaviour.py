"""How the servers of a version do: how often they fail, how long they take, what they leak, when they die."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

# Of the latency's logarithm; one busy quarter minute in a hundred; one pause in half a minute.
_SPREAD = 0.45
_PAUSES_PER_SECOND, _NOISY_CHANCE = 0.03, 0.01


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How the servers of a version do.

    Attributes:
        error_ratio: share of requests that fail; up to 0.001 is what a healthy service has.
        median_seconds: of the latency, which is lognormal.
        slow_share, slow_seconds: that share of requests takes so much longer.
        leak_bytes_per_second: by which memory grows in each pod.
        leak_bytes_per_request: the same for each request.
        seconds_between_crashes: on average, in each pod.
        requests_before_crash: after so many a process dies; 0 for never.
        ready_seconds: from a pod's beginning until it is ready; infinite for never.
        sound_requests: of each pod, before the first that fails or is slow.
    """

    error_ratio: float = 0.0
    median_seconds: float = 0.002
    slow_share: float = 0.0
    slow_seconds: float = 0.0
    leak_bytes_per_second: float = 0.0
    leak_bytes_per_request: float = 0.0
    seconds_between_crashes: float = math.inf
    requests_before_crash: int = 0
    ready_seconds: float = 6.0
    sound_requests: int = 0

    def after(self, handled: int) -> "Behaviour":
        """How a pod does that has handled so many requests."""
        return self if handled >= self.sound_requests else replace(self, error_ratio=0.0, slow_share=0.0)


def latencies(
    how: Behaviour, count: int, seconds: float, chance: np.random.Generator, *, cold: bool
) -> npt.NDArray[np.float64]:
    """Seconds that `count` answers of a span took.

    Lognormal; pauses hold up whatever comes in them; now and then a neighbour is busy; the first half minute is slower.
    """
    taken = chance.lognormal(math.log(how.median_seconds), _SPREAD, count)
    if chance.random() < _NOISY_CHANCE:
        taken *= chance.uniform(2, 4)
    if cold:
        taken *= 1.5
    for _ in range(int(chance.poisson(_PAUSES_PER_SECOND * seconds))):
        pause = chance.uniform(0.01, 0.06)
        hit = min(count, int(chance.poisson(count / seconds * pause)))
        taken[:hit] += chance.uniform(0, pause, hit)
    if how.slow_share:
        taken += (chance.random(count) < how.slow_share) * how.slow_seconds * chance.lognormal(0, 0.1, count)
    return taken
