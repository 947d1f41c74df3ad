"""Measurements as tests want them, made up."""

from collections.abc import Mapping, Sequence

from tests.bench.cells import Cell, Measured, Seen
from tests.bench.targets import Encoding, Role

FOREST = Cell("forest", 1, 32)
LARGE = Cell("logistic", 4096, 4)
OURS, LIMIT, SLOW, QUICK = "Mainline", "raw ASGI", "slow peer", "quick peer"
_ROLES = {OURS: Role.OURS, LIMIT: Role.LIMIT}


def measured(
    target: str, number: int, rate: float, *, cell: Cell = FOREST, encoding: Encoding = Encoding.JSON, p99: float = 1.0,
    errors: int = 0, load_cpu: float = 0.5, other_cpu: float = 0.0,
) -> Measured:  # fmt: skip
    """One cell of one server in one round."""
    return Measured(
        target=target, role=_ROLES.get(target, Role.PEER), way=encoding.value, encoding=encoding.value, cell=cell,
        round=number, rate=rate, p50=p99 / 2, p95=p99, p99=p99, errors=errors, server_cpu=1.0, load_cpu=load_cpu,
        other_cpu=other_cpu, tries=1,
    )  # fmt: skip


def seen(rates: Mapping[str, Sequence[float]], *, cell: Cell = FOREST, encoding: Encoding = Encoding.JSON) -> Seen:
    """The rates of servers, round by round."""
    return Seen(
        cells=[
            measured(target, number, rate, cell=cell, encoding=encoding)
            for target, found in rates.items()
            for number, rate in enumerate(found)
        ]
    )
