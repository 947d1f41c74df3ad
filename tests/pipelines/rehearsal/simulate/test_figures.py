"""Shares with bounds, and what of many rollouts is written down."""

import dataclasses
import json
from pathlib import Path

import pytest

from pipelines.rehearsal.contract import Ending
from pipelines.rehearsal.simulate.bounds import lower, upper
from pipelines.rehearsal.simulate.defects import bad_grades, good_grades, scenarios
from pipelines.rehearsal.simulate.figures import Played, broken, document
from pipelines.rehearsal.simulate.picture import draw
from pipelines.rehearsal.simulate.table import show

ONE = Played(
    kind="errors", value=0.02, strength="2.0%", good=False, claimed=True, model="iris", strategy="canary", rate=20.0,
    seed=1, ending=Ending.ABORTED, gate="error-ratio", reason="", seconds=50.0, rows_seconds=100.0, share=0.25,
)  # fmt: skip
GOOD = dataclasses.replace(ONE, kind="identical", value=0.0, strength="same", good=True, claimed=False)


def some() -> list[Played]:
    found = [dataclasses.replace(ONE, seconds=float(seconds)) for seconds in (30, 50, 90)]
    found.append(dataclasses.replace(ONE, value=0.01, strength="1.0%", claimed=False, ending=Ending.PROMOTED))
    found += [dataclasses.replace(GOOD, ending=Ending.PROMOTED, seconds=400.0)] * 3
    return [*found, dataclasses.replace(GOOD, ending=Ending.ABORTED, gate="latency-p99")]


def test_none_of_500_means_below_six_in_a_thousand() -> None:
    assert upper(0, 500) == pytest.approx(0.00597, abs=1e-5)
    assert upper(1, 500) > upper(0, 500)
    assert upper(0, 0) == upper(3, 3) == 1.0


def test_a_broken_claim_is_told_and_a_few_good_ones_aborted_are_not() -> None:
    assert broken(some()) == ["1 of 4 good ones were aborted, at most 1% may be"]
    assert lower(3, 500) < 0.01 < lower(12, 500)
    many = [*([dataclasses.replace(GOOD, ending=Ending.PROMOTED)] * 499), dataclasses.replace(GOOD)]
    assert broken(many) == []
    (told,) = broken([*many, dataclasses.replace(ONE, ending=Ending.PROMOTED)])
    assert told.startswith("iris: errors 2.0% was promoted")


def test_the_document_has_what_readers_rely_on() -> None:
    told = document(some(), seed=1, wall_seconds=2.0)
    assert told["rollouts"] == 8
    assert (told["bad_promoted"], told["bad_promoted_of"], told["bad_promoted_any_strength"]) == (0, 3, 1)
    assert (told["good_aborted"], told["good_aborted_share"]) == (1, 0.25)
    assert told["median_abort_seconds"] == 50.0
    assert told["not_always_seen"] == ["errors 1.0% (1 of 1 promoted)"]
    json.dumps(told, allow_nan=False)


def test_the_table_names_kinds_strengths_gates_and_what_is_not_seen() -> None:
    text = show(some(), document(some(), seed=1, wall_seconds=2.0))
    assert "*2.0%" in text
    assert "error-ratio 3" in text
    assert "promoted 0 of 3 (at most 63.2%)" in text
    assert "not always seen: errors 1.0% (1 of 1 promoted)" in text


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw(some(), tmp_path / "gates.png")
    assert (tmp_path / "gates.png").read_bytes().startswith(b"\x89PNG")


def test_scenarios_are_half_good_and_the_same_for_the_same_seed() -> None:
    found = scenarios(200, 7)
    assert sum(each.good for each in found) == 100
    assert found == scenarios(200, 7)
    assert found != scenarios(200, 8)
    assert {each.kind for each in found} == {each.kind for each in (*bad_grades(), *good_grades())}
    assert all(0.04 <= each.traffic.rate <= 200 for each in found)
