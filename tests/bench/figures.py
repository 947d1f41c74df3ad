"""The figures that serving is held to: their limits, and how each comes out of what was measured.

A ratio is taken round by round, between what was measured in the same round, and its median counts; the spread is that
of the rounds. What was not measured is missing, and nothing that is missing is met.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.cells import Cell, Measured, Seen
from tests.bench.estimators import BATCH_ROWS
from tests.bench.targets import OURS, Encoding, Role

# What was measured of one server and way, by the number of the round.
Rounds = Mapping[int, Measured]


@dataclass(frozen=True)
class Limit:
    """What a figure must be, and should be, in the direction that `at_least` says."""

    must: float | None = None
    goal: float | None = None
    at_least: bool = True
    unit: str = "x"

    def holds(self, value: float, bound: float) -> bool:
        """Whether a value is on the right side."""
        return value >= bound if self.at_least else value <= bound


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        key: its name in serving.json.
        story: what it is, in words.
        values: one a round; empty where it was not measured.
        against: who it is a ratio to, and how ours was asked.
        missing: why there is no value.
        notes: what there is to know before it is believed.
        disturbed: other processes used so much of the machine meanwhile that it is doubtful.
    """

    key: str
    story: str
    limit: Limit
    values: Sequence[float] = ()
    against: str = ""
    ours: str = ""
    missing: str = ""
    notes: Sequence[str] = ()
    disturbed: bool = False

    @property
    def value(self) -> float:
        """The median of the rounds; NaN where it was not measured."""
        return statistics.median(self.values) if self.values else math.nan

    @property
    def met(self) -> bool | None:
        """Whether it is what it must be; None where nothing is asked of it."""
        return self._holds(self.limit.must)

    @property
    def goal_met(self) -> bool | None:
        """Whether it is what it should be."""
        return self._holds(self.limit.goal)

    def _holds(self, bound: float | None) -> bool | None:
        return None if bound is None else bool(self.values) and self.limit.holds(self.value, bound)

    def document(self) -> dict[str, object]:
        """As serving.json has it."""
        return {
            "value": self.value, "unit": self.limit.unit, "must": self.limit.must, "goal": self.limit.goal,
            "better": "higher" if self.limit.at_least else "lower", "met": self.met, "goal_met": self.goal_met,
            "spread": [min(self.values), max(self.values)] if self.values else None, "rounds": list(self.values),
            "against": self.against, "ours": self.ours, "story": self.story, "missing": self.missing,
            "notes": list(self.notes), "disturbed": self.disturbed,
        }  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A ratio of rates that is to be had: ours in one encoding, against the best peer in some."""

    key: str
    story: str
    limit: Limit
    cell: Cell
    ours: Encoding = Encoding.JSON
    theirs: Sequence[Encoding] = (Encoding.JSON,)


_ANY = (Encoding.JSON, Encoding.BINARY)
_TEN, _SHOWN = Limit(10, 20), Limit()
RATIOS = (
    Asked(
        "forest_1_row_c32_ratio_to_best_peer", "forest of 100 trees, 1 row, 32 connections: requests a second",
        _TEN, Cell("forest", 1, 32),
    ),
    Asked(
        "logistic_30_columns_c128_ratio_to_best_peer",
        "logistic regression, 30 columns, 1 row, 128 connections: requests a second", _TEN, Cell("logistic", 1, 128),
    ),
    Asked(
        "rows_4096_json_ratio_to_best_peer", "logistic regression, 4,096 rows x 30 in JSON", Limit(3),
        Cell("logistic", BATCH_ROWS, 4),
    ),
    Asked(
        "rows_4096_binary_ratio_to_best_peer_json", "the same in binary tensors, against the best peer's JSON",
        Limit(12), Cell("logistic", BATCH_ROWS, 4), Encoding.BINARY,
    ),
    Asked(
        "forest_4096_binary_ratio_to_best_peer_any",
        "forest, 4,096 rows in binary tensors, against the best peer's best encoding", Limit(3),
        Cell("forest", BATCH_ROWS, 4), Encoding.BINARY, _ANY,
    ),
    Asked(
        "deep_forest_4096_binary_ratio_to_best_peer_any", "the same with deep trees and 64 columns", _SHOWN,
        Cell("deepforest", BATCH_ROWS, 4), Encoding.BINARY, _ANY,
    ),
    Asked("forest_1_row_c1_ratio_to_best_peer", "forest, 1 row, 1 connection", _SHOWN, Cell("forest", 1, 1)),
    Asked("forest_1_row_c128_ratio_to_best_peer", "forest, 1 row, 128 connections", _SHOWN, Cell("forest", 1, 128)),
    Asked(
        "logistic_30_columns_c32_ratio_to_best_peer", "logistic regression, 1 row, 32 connections", _SHOWN,
        Cell("logistic", 1, 32),
    ),
)  # fmt: skip

TAIL = Asked(
    "p99_c32_ratio_to_raw_asgi", "99th percentile, forest, 1 row, 32 connections, against a raw ASGI application",
    Limit(1.5, 1.0, at_least=False), Cell("forest", 1, 32),
)  # fmt: skip
START = Limit(0.5, at_least=False, unit="s")
DISK = Limit(175, 150, at_least=False, unit="MB")
GROWTH = Limit(5, 0, at_least=False, unit="MB")
BATCH = Limit(5)

# A load generator this busy was the limit itself.
FULL_LOAD = 0.95
# Beside so many cores of other work a figure is doubtful.
DISTURBED = 0.2


def figures(seen: Seen, others: Iterable[Figure] = ()) -> list[Figure]:
    """All of them in the order of the report; `others` are those that no load measures."""
    found = [ratio(seen, asked) for asked in RATIOS]
    found.insert(2, tail(seen))
    extra = list(others)
    asked = [each for each in (*found, *extra) if each.limit.must is not None]
    shown = [each for each in (*found, *extra) if each.limit.must is None]
    return [*asked, *shown, *(share_of_limit(seen, cell) for cell in (Cell("forest", 1, 32), Cell("logistic", 1, 128)))]


def ratio(seen: Seen, asked: Asked) -> Figure:
    """Ours against the best peer of the same round, by rate."""
    mine = best(seen, asked.cell, Role.OURS, (asked.ours,))
    peer = best_of_each_round(seen, asked.cell, asked.theirs)
    return _compared(asked, mine, peer, lambda each: each.rate, seen)


def tail(seen: Seen) -> Figure:
    """Our 99th percentile against the limit's, over the same connections."""
    return _by_limit(seen, TAIL, lambda each: each.p99)


def share_of_limit(seen: Seen, cell: Cell) -> Figure:
    """Our rate as a share of what uvicorn answers with nothing behind it."""
    key = f"{cell.model}_1_row_c{cell.connections}_share_of_raw_asgi"
    story = f"{cell.model}, 1 row, {cell.connections} connections: rate against a raw ASGI application's"
    return _by_limit(seen, Asked(key, story, _SHOWN, cell), lambda each: each.rate)


def _by_limit(seen: Seen, asked: Asked, of: Callable[[Measured], float]) -> Figure:
    mine, limit = (best(seen, asked.cell, role, (Encoding.JSON,)) for role in (Role.OURS, Role.LIMIT))
    return _compared(asked, mine, limit, of, seen)


def best(seen: Seen, cell: Cell, role: Role, encodings: Sequence[Encoding]) -> Rounds:
    """The rounds of the server and way with the highest median rate; empty where none was measured."""
    by_way: dict[tuple[str, str], dict[int, Measured]] = {}
    for each in seen.cells:
        if each.cell == cell and each.role is role and each.encoding in encodings:
            by_way.setdefault((each.target, each.way), {})[each.round] = each
    rates = {way: statistics.median(each.rate for each in rounds.values()) for way, rounds in by_way.items()}
    return by_way[max(rates, key=lambda way: rates[way])] if rates else {}


def best_of_each_round(seen: Seen, cell: Cell, encodings: Sequence[Encoding]) -> Rounds:
    """In each round whichever peer and way had the highest rate."""
    found: dict[int, Measured] = {}
    for each in seen.cells:
        if each.cell == cell and each.role is Role.PEER and each.encoding in encodings:
            found[each.round] = max(found.get(each.round, each), each, key=lambda one: one.rate)
    return found


def given(key: str, story: str, limit: Limit, values: Sequence[float], missing: str = "not measured") -> Figure:
    """A figure that is measured otherwise."""
    return Figure(key, story, limit, values, ours=OURS.name, missing="" if values else missing)


def _compared(asked: Asked, mine: Rounds, other: Rounds, of: Callable[[Measured], float], seen: Seen) -> Figure:
    values = [of(mine[n]) / of(other[n]) for n in sorted(mine) if n in other and of(other[n]) > 0]
    if not values:
        why = "nothing to compare with was measured" if mine else _why(seen, asked.cell)
        return Figure(asked.key, asked.story, asked.limit, missing=why)
    both = [*mine.values(), *other.values()]
    others = [statistics.median(each.other_cpu for each in side.values()) for side in (mine, other)]
    return Figure(
        asked.key, asked.story, asked.limit, values, against=_named(other), ours=_named(mine), notes=_notes(both),
        disturbed=max(others) > DISTURBED,
    )  # fmt: skip


def _why(seen: Seen, cell: Cell) -> str:
    """What kept ours from being measured in a cell."""
    where = f"{OURS.name}, {cell.model}, {cell.n_rows} rows: "
    told = [line.removeprefix(where) for line in (*seen.missing, *seen.problems) if line.startswith(where)]
    return "; ".join(told) or "not measured"


def _named(rounds: Rounds) -> str:
    return "; ".join(dict.fromkeys(f"{each.target}, {each.way}" for each in rounds.values()))


def _notes(measured: Sequence[Measured]) -> list[str]:
    """What there is to know before the figure is believed."""
    found = []
    for name in dict.fromkeys(each.target for each in measured):
        mine = [each for each in measured if each.target == name]
        if (others := statistics.median(each.other_cpu for each in mine)) > DISTURBED:
            found.append(f"{name}: other processes used {others:.1f} cores meanwhile")
        if errors := sum(each.errors for each in mine):
            found.append(f"{name}: {errors} requests had no good answer")
        if statistics.median(each.load_cpu for each in mine) > FULL_LOAD:
            found.append(f"{name}: the load generator was the limit, its rate is a lower bound")
    return found
