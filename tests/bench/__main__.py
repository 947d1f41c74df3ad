"""What serving costs, measured: `python -m tests.bench serving|peers|soak|locks`; make bench, bench-peers, soak run it.

Exit codes: 0 all figures that were measured are what they must be, 1 one is not or an answer was wrong, 2 a program or
core that the bench needs is missing.
"""

import argparse
import datetime as dt
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.errors import MainlineError
from pipelines.jsonfile import write_json
from tests.bench import figures, load, once
from tests.bench.cells import CELLS, Bodies, Cell, Plan, Seen, measure
from tests.bench.environments import ROOT, SERVING, compile_lock, install
from tests.bench.estimators import BATCH_ROWS, made
from tests.bench.figures import Figure
from tests.bench.growth import MILLION
from tests.bench.load import NoLoadError
from tests.bench.machine import about
from tests.bench.patience import Patience
from tests.bench.plot import draw
from tests.bench.processes import pinned
from tests.bench.report import document, failures, markdown
from tests.bench.soak import soak
from tests.bench.starting import start_seconds
from tests.bench.targets import LIMIT, OURS, PEERS, Target

OUT = ROOT / "build" / "bench"
# What a minute holds: two rounds of ours and the limit.
_OWN_CELLS = (
    Cell("forest", 1, 1), Cell("forest", 1, 32), Cell("logistic", 1, 128), Cell("logistic", BATCH_ROWS, 4),
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code."""
    given_ = _arguments().parse_args(argv)
    if given_.command == "locks":
        for name in dict.fromkeys(peer.environment for peer in PEERS):
            print(compile_lock(name).relative_to(ROOT))
        return 0
    try:
        return _measured(given_)
    except MainlineError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, rounds, seconds, patience in (("serving", 2, 1, 15), ("peers", 3, 2, 900)):
        command = commands.add_parser(name)
        command.add_argument("--rounds", type=int, default=rounds)
        command.add_argument("--seconds", type=int, default=seconds, help="of each cell")
        command.add_argument("--patience", type=float, default=patience, help="seconds for a quiet machine, in all")
        command.add_argument("--other", type=float, default=0.2, help="cores that others may use in a cell")
    command.add_argument("--targets", default="", help="only the peers whose names hold one of these words")
    command.add_argument("--check-only", action="store_true", help="answers alone, once: no load")
    command.add_argument("--requests", type=int, default=MILLION, help="for the growth of memory; 0: not measured")
    command.add_argument("--no-batch", action="store_true", help="without prediction in batches")
    soaking = commands.add_parser("soak")
    soaking.add_argument("--minutes", type=float, default=10)
    commands.add_parser("locks")
    for command in commands.choices.values():
        command.add_argument("--server-core", type=int, default=0)
        command.add_argument("--load-core", type=int, default=1)
        command.add_argument("--out", type=Path, default=OUT)
        command.add_argument("--picture", type=Path, default=None, help="default: serving.png in --out")
    return parser


def _measured(given_: argparse.Namespace) -> int:
    _require_cores(given_)
    load.require()
    if given_.command == "soak":
        plan = Plan(server_core=given_.server_core, load_core=given_.load_core)
        with pinned(plan.load_core):
            return soak(
                made("forest"), Path(sys.executable), plan, minutes=given_.minutes, out=given_.out / "soak.json"
            )
    with tempfile.TemporaryDirectory(prefix="bench-bodies-") as folder:
        kept = Bodies(Path(folder))
        return _serving(given_, kept) if given_.command == "serving" else _peers(given_, kept)


def _serving(given_: argparse.Namespace, kept: Bodies) -> int:
    """Ours and the limit, in this very environment."""
    plan = Plan(
        rounds=given_.rounds, seconds=given_.seconds, server_core=given_.server_core, load_core=given_.load_core,
        tries=2, patience=_patience(given_),
    )  # fmt: skip
    here = Path(sys.executable)
    models = {name: made(name) for name in dict.fromkeys(cell.model for cell in _OWN_CELLS)}
    with pinned(plan.load_core):
        seen = measure([(OURS, here), (LIMIT, here)], models, _OWN_CELLS, plan, kept)
        starts = start_seconds(models["forest"], here, plan, times=3)
    found = [each for each in figures.figures(seen, [once.start(starts), once.disk()]) if each.values]
    return _tell(found, seen, [OURS, LIMIT], given_, "own", picture=False)


def _peers(given_: argparse.Namespace, kept: Bodies) -> int:
    """Everything, each server in its own environment."""
    plan = Plan(
        rounds=1 if given_.check_only else given_.rounds, seconds=given_.seconds, server_core=given_.server_core,
        load_core=given_.load_core, patience=_patience(given_),
    )  # fmt: skip
    words = [word.strip().lower() for word in given_.targets.split(",") if word.strip()]
    targets = [OURS, LIMIT, *(peer for peer in PEERS if not words or any(word in peer.name.lower() for word in words))]
    placed = [(target, install(target.environment)) for target in targets]
    models = {name: made(name) for name in dict.fromkeys(cell.model for cell in CELLS)}
    python, forest = install(SERVING), models["forest"]
    with pinned(plan.load_core):
        seen = measure(placed, models, CELLS, plan, kept, check_only=given_.check_only)
        if given_.check_only:
            return _checked(seen)
        others = [once.start(start_seconds(forest, python, plan)), once.disk()]
        others.append(once.memory(forest, python, plan, kept, requests=given_.requests))
    others.append(once.batch(wanted=not given_.no_batch))
    found = figures.figures(seen, others)
    return _tell(found, seen, targets, given_, "serving", picture=True)


def _checked(seen: Seen) -> int:
    for line in (*seen.problems, *(f"missing: {line}" for line in seen.missing)):
        print(line)
    return 1 if seen.problems else 0


def _patience(given_: argparse.Namespace) -> Patience:
    return Patience(given_.patience, most_other=given_.other)


def _tell(
    found: Sequence[Figure],
    seen: Seen,
    targets: Sequence[Target],
    given_: argparse.Namespace,
    name: str,
    *,
    picture: bool,
) -> int:
    told: Mapping[str, object] = about(targets, dt.datetime.now(dt.UTC))
    write_json(given_.out / f"{name}.json", document(found, seen, told, given_.rounds))
    text = markdown(found, seen, told)
    (given_.out / f"{name}.md").write_text(text)
    if picture:
        draw(seen, told, given_.picture or given_.out / f"{name}.png")
    print(f"\n{text}\n{given_.out / name}.json, .md")
    wrong = failures(found, seen)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def _require_cores(given_: argparse.Namespace) -> None:
    """One core for the server, another one for the load.

    Raises:
        NoLoadError: the machine has not two, or they are one and the same.
    """
    there = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    wanted = {given_.server_core, given_.load_core}
    if len(wanted) < 2 or not wanted <= there:
        raise NoLoadError(
            f"cores {given_.server_core} and {given_.load_core}: the bench pins the server to one core and the load to "
            f"another, of {sorted(there) or 'none that this system tells of'}; see --server-core and --load-core"
        )


if __name__ == "__main__":
    # as Ctrl-C does: what was started is ended on the way out
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    raise SystemExit(main())
