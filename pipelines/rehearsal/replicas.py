"""Pods of candidate and stable for a weight, as Argo Rollouts 1.10 counts them.

Without a traffic router the pods *are* the split: of three pods and a surge of one the smallest canary is a quarter.

Source: argo-rollouts v1.10.0, utils/replicaset/canary.go (approximateWeightedCanaryStableReplicaCounts).
"""

import math
import re

from models.errors import ConfigError


def counts(replicas: int, weight: int, surge: int) -> tuple[int, int]:
    """Pods of the candidate and of stable that come closest to a weight.

    With a surge, and more than one replica, a weight from 1 to 99 leaves neither side without a pod. Of two candidates
    equally far from the weight the larger wins.

    Args:
        replicas: pods of the Rollout.
        weight: percent that the candidate is to have, 0 to 100.
        surge: pods allowed above `replicas`; of it one at most is used to come closer.
    """
    if replicas == 0:
        return 0, 0
    ceiling, floor = math.ceil(replicas * weight / 100), math.floor(replicas * weight / 100)
    zero_allowed = weight in (0, 100) or (replicas == 1 and surge == 0)
    options = []
    if ceiling < replicas or zero_allowed:
        options.append((ceiling, replicas))
    if not _tied(replicas, weight) and (floor != 0 or zero_allowed):
        options.append((floor, replicas))
    if surge > 0:
        options.append((ceiling, replicas + 1))
        if not _tied(replicas + 1, weight) and (floor != 0 or zero_allowed):
            options.append((floor, replicas + 1))
    if not options:  # without a surge, half a pod short of all: Argo Rollouts leaves the candidate none
        return 0, replicas
    candidate, total = min(options, key=lambda each: abs(each[0] * 100 / each[1] - weight))
    return candidate, total - candidate


def routed_counts(replicas: int, weight: int) -> tuple[int, int]:
    """Pods where a traffic router holds the weight: stable stays whole."""
    return math.ceil(replicas * weight / 100), replicas


def grown(
    replicas: int, surge: int, unavailable: int, *, before: tuple[int, int], after: tuple[int, int]
) -> tuple[int, int]:
    """Pods of the candidate and of stable while the next of the candidate's start.

    No fewer are ready than `unavailable` allows, and there are no more than `surge` does; one of the two is above 0.
    """
    candidate, stable = before
    kept = min(stable, max(after[1], replicas - unavailable - candidate))
    return min(after[0], max(candidate + 1, replicas + surge - kept)), kept


def surge_and_unavailable(surge: object, unavailable: object, replicas: int) -> tuple[int, int]:
    """`maxSurge` and `maxUnavailable` in pods: a percentage of surge rounds up, of unavailable down; not both zero."""
    most = math.ceil(_pods(surge, replicas, "maxSurge"))
    fewest = math.floor(_pods(unavailable, replicas, "maxUnavailable"))
    return most, min(replicas, 1 if most == 0 and fewest == 0 else fewest)


def _pods(value: object, replicas: int, name: str) -> float:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(r"\d+%", value):
        return int(value[:-1]) * replicas / 100
    raise ConfigError([f"{name}: got {value!r}, must be a number of pods or a percentage such as 25%"])


def _tied(total: int, weight: int) -> bool:
    return math.modf(total * (weight / 100))[0] == 0.5
