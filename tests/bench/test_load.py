import pytest

from tests.bench import load
from tests.bench.load import NoLoadError

PRINTED = """Running 1s test @ http://127.0.0.1:1/predict
JSON {"requests": 2010, "microseconds": 2000000, "bytes": 1, "refused": 10, "broken": 3, "p50": 900, "p95": 1500, "p99": 4000, "max": 9}
"""  # noqa: E501


def test_a_rate_is_that_of_good_answers() -> None:
    found = load.read(PRINTED)
    assert (found.rate, found.errors) == (1000.0, 13)
    assert (found.p50, found.p95, found.p99) == (0.9, 1.5, 4.0)


def test_no_figures_are_no_zero() -> None:
    with pytest.raises(NoLoadError, match="unable to connect"):
        load.read("", "unable to connect to 127.0.0.1:1")


def test_a_missing_generator_comes_with_its_remedy() -> None:
    with pytest.raises(NoLoadError, match=r"absent-program: not found.*apt-get install absent-program"):
        load.require("absent-program")
