"""An undecided look on enough rows stands: asking again is no way to a pass."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.verdict import Verdict
from services.drift.judgement import Judgement, State, undecided
from services.drift.looks import Looks
from services.drift.requests import parse
from tests.services.drift.judgements import NOW, failing, finding

ASKED: dict[str, Any] = {
    "check": "inputs", "model": "iris", "candidate_hash": "a", "stable_hash": "b", "window": "30m", "max_distance": 0.2,
}  # fmt: skip


def _look(verdict: Verdict, rows: int) -> Judgement:
    found = finding("petal_length", State.UNKNOWN)
    return replace(failing(found), verdict=verdict, rows={"candidate": rows}, reason=f"{verdict} on {rows}")


def _asked(looks: Looks, judgement: Judgement, minutes: float, **changes: Any) -> Judgement:
    return looks.settled(parse(ASKED | changes), judgement, now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("verdict", "rows", "minutes", "changes", "reason"),
    [
        (Verdict.PASS, 999, 1, {}, "inconclusive on 500"),
        (Verdict.PASS, 1000, 1, {}, "pass on 1000"),
        (Verdict.PASS, 510, 31, {}, "pass on 510"),
        (Verdict.FAIL, 510, 1, {}, "fail on 510"),
        (Verdict.PASS, 510, 1, {"candidate_hash": "c"}, "pass on 510"),
        (Verdict.PASS, 510, 1, {"window": "30s"}, "pass on 510"),
    ],
    ids=["again", "twice the rows", "all rows are new", "a fail counts", "other pods", "shorter window"],
)
def test_undecided_look_stands(
    verdict: Verdict, rows: int, minutes: float, changes: dict[str, Any], reason: str
) -> None:
    looks = Looks()
    _asked(looks, _look(Verdict.INCONCLUSIVE, 500), 0)
    assert _asked(looks, _look(verdict, rows), minutes, **changes).reason == reason


def test_look_that_stands_says_so_and_is_not_prolonged() -> None:
    looks = Looks()
    _asked(looks, _look(Verdict.INCONCLUSIVE, 500), 0)
    again = _asked(looks, _look(Verdict.INCONCLUSIVE, 900), 29)
    assert "judged at 12:00:00 UTC and still so" in again.warnings[-1]
    assert _asked(looks, _look(Verdict.PASS, 900), 30).verdict is Verdict.PASS


def test_too_few_rows_are_no_look() -> None:
    looks = Looks()
    _asked(looks, undecided("499 rows", rows={"candidate": 499}), 0)
    assert _asked(looks, _look(Verdict.PASS, 500), 1).verdict is Verdict.PASS


def test_first_pass_needs_no_second_look() -> None:
    looks = Looks()
    assert _asked(looks, _look(Verdict.PASS, 500), 0).verdict is Verdict.PASS
    assert _asked(looks, _look(Verdict.PASS, 500), 1).reason == "pass on 500"
