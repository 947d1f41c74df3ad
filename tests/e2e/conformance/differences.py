"""What the two sides say differently, in lines for a person."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from pipelines.rehearsal.answers import from_web
from pipelines.rehearsal.contract import Measured
from tests.e2e.conformance import ours, passing, programme
from tests.e2e.conformance.play import Played
from tests.e2e.conformance.programme import Tables
from tests.e2e.conformance.seen import Analysis, Measurement, Pods, Rolled
from tests.e2e.conformance.table import Case, Row

# Kubernetes' times are whole seconds, and a controller with a hundred cases at hand may come a second late.
TIME_TOLERANCE_SECONDS = 2.0
# When pods become ready Kubernetes may count from up to a second before, and the rehearsal looks once a second.
ROLLOUT_EARLY, ROLLOUT_EARLY_SECONDS = 0.3, 2.5
# A rollout's end is reached by way of ReplicaSets, pods and several reconciliations each, 40 requests a second in all.
ROLLOUT_LATE_SECONDS = 30.0


@dataclass(frozen=True)
class Difference:
    """One thing that differs; of a case that takes time with its key."""

    case: str
    what: str
    ours: object
    theirs: object
    key: str = ""

    def __str__(self) -> str:
        return f"{self.case}: {self.what}\n    rehearsal:  {self.ours}\n    controller: {self.theirs}"


def compared(tables: Tables, played: Played) -> list[Difference]:
    """Every difference, in the order of the tables."""
    found: list[Difference] = []
    for key, row in tables.conditions.items():
        found += _conditions(f"{row['if']} of {row['result']}", programme.condition(row), played.once.get(key))
    for key, row in tables.readings.items():
        found += _readings(row, played.once.get(key, Measurement("was not measured")))
    found += [Difference(f"the argument {each}", "value", *both) for each, both in passing.differing(played.arguments)]
    for case in tables.analyses:
        found += _keyed(case, _analyses(case, ours.analysis(case), played.analyses[case.key]))
    for case in tables.rollouts:
        found += _keyed(case, _rollouts(case, ours.rollout(case), played.rollouts[case.key]))
    return found


def _keyed(case: Case, differences: Iterator[Difference]) -> list[Difference]:
    return [replace(each, key=case.key) for each in differences]


def _readings(row: Row, seen: Measurement) -> Iterator[Difference]:
    """A web metric without a condition: what is read is a success, whatever it is."""
    mine = from_web(row.get("status", 200), row["body"].encode(), row["path"])
    said = Measurement("Error" if mine.error else "Successful", mine.error, "" if mine.error else _as_value(mine))
    same = said.phase == seen.phase and (bool(mine.error) or _decoded(said.value) == _decoded(seen.value))
    if not same:
        yield Difference(f"{row['path']} of {row['body']} ({row.get('status', 200)})", "answer", said, seen)


def _as_value(mine: Measured) -> str:
    return str(mine.value) if mine.unread else json.dumps(mine.value)


def _decoded(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _conditions(name: str, said: str, seen: Measurement | None) -> Iterator[Difference]:
    phase, message = (seen.phase, seen.message) if seen else ("was not measured", "")
    # what is refused here is what a cluster answers
    if (said.startswith("refused") and phase == "Error") or (not said.startswith("refused") and said != phase):
        yield Difference(name, "phase", said, f"{phase} {message}".strip())


def _analyses(case: Case, mine: Analysis, other: Analysis) -> Iterator[Difference]:
    if bool(mine.refused) != bool(other.refused):
        yield Difference(case.name, "refused", mine.refused or mine, other.refused or other)
        return
    for name in ("run", "phases", "ends", "message"):
        said, seen = getattr(mine, name), getattr(other, name)
        if name == "message":
            said, seen = _without_reason(said), _without_reason(seen)
        if mine.run == "Running" and name == "phases":
            seen = {metric: phases[: len(said.get(metric, ()))] for metric, phases in seen.items()}
        if said != seen:
            yield Difference(case.name, name, said, seen)
    for metric, said in mine.times.items():
        seen = other.times.get(metric, [])
        gaps = zip(_gaps(said), _gaps(seen), strict=False)
        if len(seen) < len(said) or any(abs(a - b) > TIME_TOLERANCE_SECONDS for a, b in gaps):
            yield Difference(case.name, f"times of {metric}", said, seen)


def _gaps(times: list[float]) -> list[float]:
    """From each measurement to the next; the first is from the beginning of the run."""
    return [times[0], *(after - before for before, after in pairwise(times))] if times else []


def _rollouts(case: Case, mine: Rolled, other: Rolled) -> Iterator[Difference]:
    if bool(mine.refused) != bool(other.refused):
        yield Difference(case.name, "refused", mine.refused or mine, other.refused or other)
    if mine.refused or other.refused:
        return
    names = ["ending", "gates", "verdicts", "pods", "share"]
    if (case.row["spec"]["strategy"].get("canary") or {}).get("steps"):
        names.append("step")
    for name in names:
        said, seen = getattr(mine, name), getattr(other, name)
        if said != seen and not (name == "pods" and _lowered(said, seen)):
            yield Difference(case.name, name, said, seen)
    if mine.message not in re.sub(r'ReplicaSet "\S+"', "ReplicaSet", other.message):
        yield Difference(case.name, "message", mine.message, other.message)
    earliest = mine.seconds * (1 - ROLLOUT_EARLY) - ROLLOUT_EARLY_SECONDS
    if not earliest <= other.seconds <= mine.seconds + ROLLOUT_LATE_SECONDS:
        yield Difference(case.name, "seconds", mine.seconds, other.seconds)


def _lowered(said: tuple[Pods, ...], seen: tuple[Pods, ...]) -> bool:
    """Whether they differ at lowered weights alone: no step waits until pods have gone, nor until stable has more."""
    if len(said) != len(seen):
        return False
    both = list(zip(said, seen, strict=True))
    for (mine, other), (mine_before, before) in zip(both, [((0, 0), (0, 0)), *both], strict=False):
        on_its_way = mine[0] <= other[0] <= before[0] and before[1] <= other[1] <= mine[1]
        if mine != other and not (mine[0] < mine_before[0] and on_its_way):
            return False
    return True


def _without_reason(message: str) -> str:
    """Without the words in which each engine says what is wrong with an expression; no data is said alike by both."""
    return re.sub(r'(could not evaluate \w+Condition ".*?": )(?!metric result is nil).*', r"\1", message)
