"""The harness against servers that are really started: ours answers rightly, and one that does not is found out."""

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.asking import NotServedError, WrongAnswerError, check
from tests.bench.callers import VISITS, Tally, Visit, Visitor, visit
from tests.bench.estimators import Made, made
from tests.bench.servers import DidNotStartError, started
from tests.bench.targets import LIMIT, OURS, PEERS, Command, Role, Target

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="pins processes to cores")]

HERE = Path(sys.executable)
CORE = min(os.sched_getaffinity(0)) if sys.platform == "linux" else 0


@pytest.fixture(scope="module")
def forest() -> Made:
    return made("forest")


@pytest.fixture(scope="module")
def ours_port(forest: Made) -> Iterator[int]:
    with started(OURS, forest, HERE, core=CORE) as running:
        yield running.port


def test_ours_answers_as_scikit_learn_does_to_many_callers_at_once(forest: Made) -> None:
    with started(OURS, forest, HERE, core=CORE) as running:
        for n_rows in (1, 4096):
            check(running.port, OURS.ways[0], forest, n_rows)
    assert not running.scratch.exists()


def test_a_server_that_answers_a_constant_is_found_out(forest: Made) -> None:
    constant = replace(OURS, name="constant", role=Role.PEER)
    with started(LIMIT, forest, HERE, core=CORE) as running, pytest.raises(WrongAnswerError, match="otherwise than by"):
        check(running.port, constant.ways[0], forest, 1)


def test_a_route_that_is_not_there_is_not_served(forest: Made) -> None:
    way = replace(OURS.ways[0], path="/nowhere")
    with started(OURS, forest, HERE, core=CORE) as running, pytest.raises(NotServedError, match="not served yet"):
        check(running.port, way, forest, 1)


def test_a_server_that_ends_at_once_did_not_start(forest: Made) -> None:
    broken = Target("broken", Role.PEER, "serving", lambda made, place: Command(("false",)), PEERS[0].ways)
    with pytest.raises(DidNotStartError, match="broken ended with 1"), started(broken, forest, HERE, core=CORE):
        pass


@pytest.mark.parametrize("kind", [kind for kind, _ in VISITS], ids=lambda kind: kind.__name__)
def test_a_caller_of_each_kind_gets_what_it_must(kind: Visit, forest: Made, ours_port: int) -> None:
    tally = Tally()
    for number in range(20):
        asyncio.run(visit(ours_port, kind, Visitor(forest, random.Random(number)), tally))  # noqa: S311
    assert tally.wrong == {}
