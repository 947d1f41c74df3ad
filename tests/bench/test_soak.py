import pytest

from tests.bench.callers import Tally
from tests.bench.soak import Look, growth_mb, verdict

STEADY = [Look(float(second), 80.0, 20, 4) for second in range(60)]
QUIET = Look(61.0, 80.0, 12, 4)


def _wrong(
    tally: Tally | None = None, looks: list[Look] = STEADY, after: Look = QUIET, in_flight: float = 0.0,
    end: float = 1.0, said: tuple[str, ...] = (),
) -> list[str]:  # fmt: skip
    return verdict(tally or Tally(), looks, QUIET, after, in_flight=in_flight, end_seconds=end, said=said)


def test_a_steady_server_passes() -> None:
    assert _wrong() == []


def test_memory_that_grows_only_while_it_warms_is_no_growth() -> None:
    warming = [Look(float(second), 60.0 + min(second, 11), 20, 4) for second in range(60)]
    assert growth_mb(warming) == 0
    leaking = [Look(float(second), 60.0 + second, 20, 4) for second in range(60)]
    assert _wrong(looks=leaking) == ["memory: grew by 36.0 MB, at most 5"]


def test_what_goes_wrong_is_told() -> None:
    tally = Tally()
    tally.answers[500] = 2
    tally.blame("keeps asking", "500 to a right request")
    tally.blame("keeps asking", "500 to a right request")
    assert _wrong(tally) == ["2 x keeps asking: 500 to a right request", "2 answers of 500"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (_wrong(after=Look(61.0, 80.0, 15, 4)), "descriptors: 12 before, 15 after"),
        (_wrong(after=Look(61.0, 80.0, 12, 5)), "threads: at most 4 before, 5 after"),
        (_wrong(in_flight=1.0), "mainline_requests_in_flight: 1 with no caller"),
        (_wrong(end=10.0), "end: took 10.0 s with nothing in flight"),
        (_wrong(said=("Traceback",)), "the server said: Traceback"),
    ],
    ids=[
        "a descriptor left open",
        "a thread that is stuck",
        "a request left in flight",
        "an end that does not come",
        "an error logged",
    ],
)
def test_what_is_left_behind_is_told(wrong: list[str], told: str) -> None:
    assert len(wrong) == 1
    assert told in wrong[0]
