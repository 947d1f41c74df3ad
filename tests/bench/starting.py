"""How long our server takes from its process' start to the first right answer, its bundle fetched and verified."""

from pathlib import Path

from tests.bench.cells import Plan
from tests.bench.estimators import Made
from tests.bench.servers import started
from tests.bench.targets import OURS


def start_seconds(made: Made, python: Path, plan: Plan, *, times: int = 5) -> list[float]:
    """Seconds of each start, after one that leaves compiled Python and warm files behind as an image has them."""
    found = []
    for _ in range(times + 1):
        plan.patience.wait()
        with started(OURS, made, python, core=plan.server_core) as running:
            found.append(running.start_seconds)
    return found[1:]
