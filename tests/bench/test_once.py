from pathlib import Path
from typing import cast

import pytest

from tests.bench import once
from tests.bench.cells import Bodies, Plan
from tests.bench.estimators import Made
from tests.bench.figures import Figure
from tests.bench.growth import MILLION, Sample


def _memory(requests: int) -> Figure:
    return once.memory(cast(Made, None), Path("python"), Plan(), Bodies(Path("bodies")), requests=requests)


@pytest.fixture
def grows_by_four(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [Sample(50_000, 80.0), Sample(600_000, 86.0), Sample(1_050_000, 84.0)]
    monkeypatch.setattr(once, "growth", lambda *given, **named: samples)


@pytest.mark.usefixtures("grows_by_four")
def test_growth_is_from_the_warm_server_to_the_settled_one() -> None:
    found = _memory(MILLION)
    assert (found.value, found.met, found.goal_met) == (4.0, True, False)
    assert "600,000: 86.0 MB" in found.notes


@pytest.mark.usefixtures("grows_by_four")
def test_growth_under_fewer_than_a_million_requests_is_not_the_figure() -> None:
    found = _memory(1000)
    assert (list(found.values), found.met) == ([], False)
    assert found.missing == "only 1,000 were sent, over which it grew by 4.0 MB"


def test_what_is_left_out_is_missing() -> None:
    assert _memory(0).missing == "left out"
    assert once.batch(wanted=False).met is False


@pytest.mark.parametrize(("seconds", "met"), [([0.4, 0.6, 0.5], True), ([0.4, 0.6, 0.51], False)])
def test_a_start_is_judged_by_its_median(seconds: list[float], met: bool) -> None:
    assert once.start(seconds).met is met


def test_a_size_that_nobody_measured_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "installed", lambda name: False)
    assert once.disk().missing == "make bench-peers installs it"
