"""Measures servers side by side: round after round each in turn, so that what the machine does meanwhile meets all.

In a round every server is started for every model, checked against scikit-learn, warmed, and asked with each cell's
requests. A cell that other processes disturbed is taken again, and of its tries the least disturbed one counts.
"""

import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import bodies, processes
from tests.bench.asking import NotServedError, WrongAnswerError, check
from tests.bench.estimators import BATCH_ROWS, Made
from tests.bench.load import Load, NoLoadError, post
from tests.bench.patience import Patience
from tests.bench.servers import DidNotStartError, Running, started
from tests.bench.targets import Role, Target, Way

_SINGLE_BODIES, _LARGE_BODIES = 512, 8
# Large requests are few: a cell of them is longer, or its rate would be a matter of one more or less.
_LARGE_TIMES = 2
# What a load leaves unanswered when it ends is still computed, and would take the next one's place.
_SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Cell:
    """Requests of so many rows to a model, so many at a time."""

    model: str
    n_rows: int
    connections: int

    def ways(self, target: Target) -> tuple[Way, ...]:
        """The ones it is asked in: a single row in a server's first, many in each. The limit answers single rows."""
        if self.n_rows == 1:
            return target.ways[:1]
        return () if target.role is Role.LIMIT else target.ways


CELLS = (
    Cell("forest", 1, 1),
    Cell("forest", 1, 32),
    Cell("forest", 1, 128),
    Cell("forest", BATCH_ROWS, 4),
    Cell("logistic", 1, 32),
    Cell("logistic", 1, 128),
    Cell("logistic", BATCH_ROWS, 4),
    Cell("deepforest", BATCH_ROWS, 4),
)


@dataclass(frozen=True)
class Plan:
    """How much is measured, where, and how quiet it has to be.

    Attributes:
        rounds: how often each server is measured.
        seconds: length of a cell.
        server_core, load_core: numbers of cores, not the same one.
        patience: for a quiet machine before a cell, and for taking a disturbed one again.
        tries: how often a cell is taken at most.
    """

    rounds: int = 3
    seconds: int = 2
    warm_seconds: int = 1
    server_core: int = 0
    load_core: int = 1
    tries: int = 3
    patience: Patience = field(default_factory=lambda: Patience(900))


@dataclass(frozen=True)
class Measured:
    """One cell of one server in one round.

    Attributes:
        rate: good answers a second.
        p50, p95, p99: milliseconds.
        errors: requests without a good answer.
        server_cpu, load_cpu, other_cpu: cores that the server, the load and anything else used on average. With a load
            near 1 the generator was the limit, and the rate is a lower bound.
    """

    target: str
    role: Role
    way: str
    encoding: str
    cell: Cell
    round: int
    rate: float
    p50: float
    p95: float
    p99: float
    errors: int
    server_cpu: float
    load_cpu: float
    other_cpu: float
    tries: int


@dataclass(frozen=True)
class Started:
    """One start of one server: seconds to the first right answer, and memory in 2**20 bytes after its load."""

    target: str
    role: Role
    model: str
    round: int
    seconds: float
    memory_mb: float


@dataclass
class Seen:
    """Everything that was measured. `problems` are wrong answers and failed starts; `missing` what ours has not yet."""

    cells: list[Measured] = field(default_factory=list)
    starts: list[Started] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Bodies:
    """The files of requests that the load generator reads, each written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[tuple[str, str, str, int], tuple[Path, Mapping[str, str]]] = {}

    def of(self, target: Target, way: Way, made: Made, n_rows: int) -> tuple[Path, Mapping[str, str]]:
        """The file, and the headers of its requests."""
        key = (target.name, way.name, made.name, n_rows)
        if key not in self._kept:
            path = self._folder / f"{len(self._kept)}.bodies"
            count = _SINGLE_BODIES if n_rows == 1 else _LARGE_BODIES
            blocks = (made.rows[at * n_rows : (at + 1) * n_rows] for at in range(count))
            self._kept[key] = path, bodies.write(path, (way.form(block, made.features) for block in blocks))
        return self._kept[key]


def measure(
    targets: Sequence[tuple[Target, Path]],
    models: Mapping[str, Made],
    cells: Sequence[Cell],
    plan: Plan,
    kept: Bodies,
    *,
    check_only: bool = False,
) -> Seen:
    """All cells of all targets, each with the interpreter of its environment; with `check_only` their answers alone."""
    seen = Seen()
    for number in range(plan.rounds):
        turn = number % len(targets)
        for target, python in (*targets[turn:], *targets[:turn]):
            for model in dict.fromkeys(cell.model for cell in cells):
                mine = [cell for cell in cells if cell.model == model and cell.ways(target)]
                if mine:
                    _round(target, python, models[model], mine, number, plan, kept, seen, check_only=check_only)
    return seen


def _round(
    target: Target, python: Path, made: Made, cells: Sequence[Cell], number: int, plan: Plan, kept: Bodies, seen: Seen,
    *, check_only: bool,
) -> None:  # fmt: skip
    plan.patience.wait()
    try:
        with started(target, made, python, core=plan.server_core) as running:
            asked = [(cell, way) for cell in cells for way in cell.ways(target)]
            right = {(way.name, rows) for way, rows in _right(running, asked, seen)}
            warm: set[tuple[str, int]] = set()
            for cell, way in asked if not check_only else ():
                key = way.name, cell.n_rows
                if key not in right:
                    continue
                if key not in warm:
                    warm.add(key)
                    _load(running, cell, way, plan, kept, plan.warm_seconds)
                seen.cells.append(_cell(running, cell, way, number, plan, kept))
            memory = processes.memory_mb(running.processes())
            seen.starts.append(Started(target.name, target.role, made.name, number, running.start_seconds, memory))
    except (DidNotStartError, NoLoadError) as error:
        _once(seen.problems, f"{target.name}, {made.name}: {error}")
    _told(target, made, number, seen)


def _right(running: Running, asked: Sequence[tuple[Cell, Way]], seen: Seen) -> Iterator[tuple[Way, int]]:
    """The ways in which it answers as scikit-learn does."""
    for way, n_rows in dict.fromkeys((way, cell.n_rows) for cell, way in asked):
        where = f"{running.target.name}, {running.made.name}, {n_rows} rows"
        try:
            check(running.port, way, running.made, n_rows)
        except NotServedError as error:
            _once(seen.missing if running.target.role is Role.OURS else seen.problems, f"{where}: {error}")
        except (WrongAnswerError, OSError) as error:
            _once(seen.problems, f"{where}: {error}")
        else:
            yield way, n_rows


def _cell(running: Running, cell: Cell, way: Way, number: int, plan: Plan, kept: Bodies) -> Measured:
    """The least disturbed of at most `plan.tries` tries."""
    best: Measured | None = None
    for attempt in range(1, plan.tries + 1):
        plan.patience.wait()
        time.sleep(_SETTLE_SECONDS)
        before, began = _used(running), time.monotonic()
        found = _load(running, cell, way, plan, kept, plan.seconds * (1 if cell.n_rows == 1 else _LARGE_TIMES))
        took = time.monotonic() - began
        busy, server, loading = ((after - former) / took for after, former in zip(_used(running), before, strict=True))
        tried = Measured(
            target=running.target.name, role=running.target.role, way=way.name, encoding=way.encoding.value,
            cell=cell, round=number, rate=found.rate, p50=found.p50, p95=found.p95, p99=found.p99,
            errors=found.errors, server_cpu=server, load_cpu=loading, other_cpu=busy - server - loading, tries=attempt,
        )  # fmt: skip
        if best is None or tried.other_cpu < best.other_cpu:
            best = tried
        if tried.other_cpu <= plan.patience.most_other or not plan.patience.left:
            break
        plan.patience.spend(took)
    assert best is not None
    return best


def _load(running: Running, cell: Cell, way: Way, plan: Plan, kept: Bodies, seconds: int) -> Load:
    file, headers = kept.of(running.target, way, running.made, cell.n_rows)
    url = f"http://127.0.0.1:{running.port}{way.route(running.made.name, cell.n_rows)}"
    return post(url, file, headers, connections=cell.connections, seconds=seconds, core=plan.load_core)


def _used(running: Running) -> tuple[float, float, float]:
    """CPU seconds so far: of all cores, of the server, of the load generators that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return processes.busy_seconds(), processes.cpu_seconds(running.processes()), children.ru_utime + children.ru_stime


def _told(target: Target, made: Made, number: int, seen: Seen) -> None:
    found = [
        each for each in seen.cells if (each.target, each.cell.model, each.round) == (target.name, made.name, number)
    ]
    rates = ", ".join(
        f"{each.cell.n_rows}{' ' + each.way if each.cell.n_rows > 1 else ''} c={each.cell.connections} {each.rate:,.0f}"
        for each in found
    )
    print(f"round {number + 1}  {target.name:20} {made.name:10} {rates or 'checked'}", flush=True)


def _once(told: list[str], line: str) -> None:
    if line not in told:
        told.append(line)
