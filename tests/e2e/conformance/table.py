"""The rehearsal's tables as the controller can be asked them: each row a case with a key, its durations made shorter.

Durations that the row declares are divided by one factor; what Argo Rollouts fixes itself (10 s until an error is asked
again) is not. A row is only made as much shorter as leaves the rehearsal's own answer what the table says.
"""

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.errors import ConfigError
from pipelines.rehearsal.duration import pause_seconds, seconds
from tests.e2e.conformance.answers import Answer, scripted

FOLDER = Path(__file__).resolve().parents[2] / "pipelines" / "rehearsal"
# Intervals of 5 s become 1 s: Kubernetes' times know no less.
FACTORS = (5, 2, 1)
# For a second look at what differed: a busy machine is late by seconds, which then are fewer of an interval.
SLOWER = (2, 1)
# A controller with many Rollouts at hand takes some seconds for one.
SHORTEST_DEADLINE_SECONDS = 8
_DURATIONS = ("interval", "initialDelay")
_SECONDS = ("minReadySeconds", "progressDeadlineSeconds", "autoPromotionSeconds")
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row.

    Attributes:
        key: a name that objects and paths can have.
        row: with its durations as they are played.
        factor: by which they were divided.
    """

    key: str
    name: str
    row: Row
    factor: int = 1

    def path(self, metric: str) -> str:
        """Where a metric is asked."""
        return f"/{self.key}/{metric}"

    def answers(self) -> dict[str, list[Answer]]:
        """Scripted answers by path."""
        of = {each["name"]: each["of"] for each in declared(self.row)}
        # one metric's name may be an argument's: there is one then
        kinds = {name: of.get(name) or next(iter(of.values())) for name in self.row.get("answers", {})}
        return {
            self.path(name): [scripted(kinds[name], each) for each in answers] or [(404, "not to be asked")]
            for name, answers in self.row.get("answers", {}).items()
        }


def analyses() -> list[Row]:
    """The rows of cases.yaml."""
    return _rows("cases.yaml")


def expressions() -> list[Row]:
    """The rows of expressions.yaml."""
    return _rows("expressions.yaml")


def answers() -> list[Row]:
    """The rows of answers.yaml."""
    return _rows("answers.yaml")


def rollouts() -> list[Row]:
    """The rows of rollouts.yaml; its first entry holds only what the others share."""
    return _rows("rollouts.yaml")[1:]


def shortest(
    prefix: str, rows: Iterable[Row], agrees: Callable[[Case], bool], *, factors: Sequence[int] = FACTORS
) -> list[Case]:
    """Each row as short as leaves `agrees` true; a row that no factor suits is played as it stands."""
    found = []
    for index, row in enumerate(rows):
        deadline = row.get("spec", {}).get("progressDeadlineSeconds", 600)
        suitable = [each for each in factors if each == 1 or deadline / each >= SHORTEST_DEADLINE_SECONDS]
        cases = [_case(f"{prefix}{index:02d}", row, factor) for factor in suitable]
        found.append(next((each for each in cases if agrees(each)), cases[-1]))
    return found


def declared(row: Row) -> Iterator[Row]:
    """The metrics that a row declares, in templates or by itself."""
    yield from row.get("metrics", ())
    for template in row.get("templates", {}).values():
        yield from template["metrics"]


def _case(key: str, row: Row, factor: int) -> Case:
    changed = copy.deepcopy(row)
    if "refused" not in row:
        for metric in {id(each): each for each in declared(changed)}.values():
            for name in _DURATIONS:
                if name in metric and "{{" not in metric[name]:
                    metric[name] = _shorter(seconds(metric[name], name), factor)
        _shorten(changed.get("spec", {}), factor)
        for name, value in changed.get("arguments", {}).items():
            if _is_duration(value):
                changed["arguments"][name] = _shorter(seconds(value, name), factor)
        for name in ("terminate", "ready"):
            if isinstance(changed.get(name), int | float):
                changed[name] = changed[name] / factor
    return Case(key=key, name=row["name"], row=changed, factor=factor)


def _shorten(spec: Row, factor: int) -> None:
    strategy = spec.get("strategy", {})
    for fields in (spec, strategy.get("blueGreen") or {}):
        for name in _SECONDS:
            if name in fields:
                fields[name] = max(1, round(fields[name] / factor))
    for step in (strategy.get("canary") or {}).get("steps", ()):
        pause = step.get("pause")
        if isinstance(pause, Mapping) and "duration" in pause:
            step["pause"] = {"duration": _as_written(pause["duration"], factor)}


def _as_written(duration: object, factor: int) -> object:
    """A pause as long and written as it was: a number, a number in quotes, or with a unit."""
    shorter = pause_seconds(duration, "pause") / factor
    if isinstance(duration, int):
        return max(1, round(shorter))
    if isinstance(duration, str) and duration.isdigit():
        return str(max(1, round(shorter)))
    return _shorter(shorter, 1)


def _shorter(value: float, factor: int) -> str:
    return f"{round(value * 1000 / factor)}ms"


def _is_duration(value: object) -> bool:
    try:
        seconds(value, "argument")
    except ConfigError:
        return False
    return re.search(r"[a-z]", str(value)) is not None


def _rows(name: str) -> list[Row]:
    found: list[Row] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return found
