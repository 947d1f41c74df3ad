"""What the two sides say differently is noticed, and both are printed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.conformance import ours, passing, programme
from tests.e2e.conformance.differences import compared
from tests.e2e.conformance.play import Played
from tests.e2e.conformance.programme import Tables
from tests.e2e.conformance.seen import Measurement


@pytest.fixture(scope="module")
def tables() -> Tables:
    """All of them."""
    return Tables.read()


@pytest.fixture
def echo(tables: Tables) -> Played:
    """A controller that says what the rehearsal says."""
    phases = {key: programme.condition(row) for key, row in tables.conditions.items()}
    once = {key: Measurement("Successful" if said.startswith("refused") else said) for key, said in phases.items()}
    for key, row in tables.readings.items():
        value = row["body"] if "unread" in row else json.dumps(row.get("value"))
        once[key] = Measurement("Error" if "error" in row else "Successful", "", value)
    return Played(
        analyses={case.key: ours.analysis(case) for case in tables.analyses},
        rollouts={case.key: ours.rollout(case) for case in tables.rollouts},
        once=once,
        arguments=passing.said(passing.Hashes("latest", "stable")),
    )


def test_the_same_words_are_no_difference(tables: Tables, echo: Played) -> None:
    assert compared(tables, echo) == []


def test_a_condition_that_is_answered_otherwise_is_told_with_both(tables: Tables, echo: Played) -> None:
    key = next(iter(tables.conditions))
    said = echo.once[key].phase
    echo.once[key] = Measurement("Error", "nothing there")
    (found,) = compared(tables, echo)
    assert said in str(found)
    assert "Error nothing there" in str(found)


def test_an_answer_and_an_argument_that_are_read_otherwise_are_told(tables: Tables, echo: Played) -> None:
    key = next(key for key, row in tables.readings.items() if "value" in row)
    echo.once[key] = Measurement("Successful", "", "17")
    echo.arguments["replicas"] = "4"
    assert [each.what for each in compared(tables, echo)] == ["answer", "value"]


def test_a_measurement_too_few_and_one_too_late_are_told(tables: Tables, echo: Played) -> None:
    case = next(each for each in tables.analyses if "times" in each.row)
    said = echo.analyses[case.key]
    (metric,) = said.phases
    late = replace(said, times={metric: [each + 3 for each in said.times[metric]]})
    for other, what in (
        (replace(said, phases={metric: said.phases[metric][1:]}), "phases"),
        (late, f"times of {metric}"),
    ):
        echo.analyses[case.key] = other
        assert [each.what for each in compared(tables, echo)] == [what]


@pytest.mark.parametrize(
    ("what", "value"),
    [("ending", "promoted"), ("gates", ("other",)), ("share", 25.0), ("seconds", 900.0), ("refused", "no")],
)
def test_a_rollout_that_ends_otherwise_is_told(tables: Tables, echo: Played, what: str, value: Any) -> None:
    case = next(each for each in tables.rollouts if each.row.get("ending") == "aborted")
    echo.rollouts[case.key] = replace(echo.rollouts[case.key], **{what: value})
    assert what in [each.what for each in compared(tables, echo)]


def test_what_is_not_compared_has_a_reason(tables: Tables) -> None:
    assert all(tables.left_out.values())
    assert len(tables.conditions) > 300
    assert len(tables.rollouts) > 35
