"""Real bundles, real rows with their real truth, a real log: from feedback to a judgement on quality."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.findings import Matrix
from models.spec import load_spec
from models.verdict import Verdict
from pipelines.rehearsal.simulate.pool import table_file
from pipelines.table import encode_raw, plain_list, read_raw
from services.drift.assess import assess
from services.drift.entry import Entry
from services.drift.judgement import Judgement
from services.drift.report import page
from services.drift.requests import parse
from services.drift.sources import Sources
from tests.services.drift.capture_log import Key, keys, leave, tell
from tests.specimens.making import KEPT, ROOT, made

pytestmark = pytest.mark.slow  # bundles are trained where none are kept

PASS, FAIL, INCONCLUSIVE = Verdict
ROWS = {"diabetes": 442, "iris": 150, "property": 900}
PARTIES = {"candidate_hash": "c", "stable_hash": "s", "window": "30m", "alpha": "0.001"}
# As in property's gates.yaml, but for quality, which none has.
LIMITS: dict[str, dict[str, str]] = {
    "inputs": {"min_rows": "500", "min_distinct_rows": "300", "max_distance": "0.2"},
    "predictions": {
        "min_rows": "500", "min_distinct_rows": "300", "max_beyond_announced": "0.1", "max_announced": "0.6",
        "max_announced_shift": "0.25",
    },
    "quality": {"min_feedback": "100", "max_worse": "0.2"},
}  # fmt: skip
Ask = Callable[..., Judgement]


@cache
def world(model: str) -> tuple[Matrix, dict[Key, Any]]:
    """Rows of the model's table, and what is true of each, by its key."""
    spec = load_spec(ROOT / "models" / model)
    raw = read_raw(table_file(model), spec)
    raw = raw.iloc[np.random.default_rng(0).permutation(len(raw))[: ROWS[model]]].reset_index(drop=True)
    return encode_raw(raw, spec), dict(zip(keys(len(raw)), plain_list(raw[spec.target.name]), strict=True))


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Leaves the log of a candidate and of stable, with feedback, and asks."""

    def judged(
        model: str,
        candidate: str,
        check: str = "quality",
        *,
        truth: dict[Key, Any] | None = None,
        masked: tuple[str, ...] = (),
        minutes_ago: float = 0.0,
        **asked: str,
    ) -> Judgement:
        rows, known = world(model)
        now = datetime.now(UTC)
        leave(tmp_path, made(f"{model}-stable"), pods="s", until=now - timedelta(minutes=9), matrix=rows)
        leave(tmp_path, made(f"{model}-{candidate}"), pods="c", version="2", until=now, masked=masked, matrix=rows)
        if truth != {}:
            tell(tmp_path, model, known if truth is None else truth, at=now - timedelta(minutes=minutes_ago))
        request = parse({**PARTIES, **LIMITS[check], "check": check, "model": model, **asked})
        sources = Sources(tmp_path.as_uri(), (KEPT.as_uri(),), tmp_path / "cache")
        return assess(request, sources, now=datetime.now(UTC))

    return judged


@pytest.mark.parametrize(
    ("model", "candidate", "verdict"),
    [
        ("diabetes", "stable", PASS),
        ("diabetes", "better", PASS),
        ("diabetes", "constant", FAIL),
        ("iris", "better", PASS),
        ("iris", "shifted", FAIL),
    ],
)
def test_the_truth_tells_a_worse_model_from_a_better_one(
    ask: Ask, model: str, candidate: str, verdict: Verdict
) -> None:
    judged = ask(model, candidate)
    assert judged.verdict is verdict, judged.reason
    assert judged.candidate is not None
    assert judged.candidate.version == "2"
    assert judged.rows["feedback"] == judged.rows["candidate"] == ROWS[model]
    assert judged.rows["feedback_elsewhere"] == 0


def test_labels_of_another_meaning_within_every_announced_limit_fail_here_alone(ask: Ask) -> None:
    for check in ("inputs", "predictions"):
        judged = ask("property", "fee", check, compare="before")
        assert judged.verdict is PASS, judged.reason
    judged = ask("property", "fee", min_feedback="300")
    assert judged.verdict is FAIL
    assert "more than 0.2" in judged.reason
    assert ask("property", "better", min_feedback="300").verdict is PASS


def test_after_a_switch_stable_is_found_in_the_window_before(ask: Ask) -> None:
    # stable's last row is nine minutes old
    assert ask("diabetes", "better", window="8m").verdict is PASS


def test_feedback_of_a_part_of_the_rows_is_joined_row_by_row(ask: Ask) -> None:
    known = world("diabetes")[1]
    some = {key: known[key] for key in list(known)[::2]}
    strangers: dict[Key, Any] = {("nobody", row): 1.0 for row in range(7)}
    judged = ask("diabetes", "better", truth=some | strangers | {("r0", 99): 1.0})
    assert judged.verdict is PASS
    assert (judged.rows["feedback"], judged.rows["feedback_elsewhere"]) == (229, 8)
    assert judged.rows["feedback_distinct"] == 221


def test_feedback_that_is_no_truth_is_counted_apart(ask: Ask) -> None:
    known = world("iris")[1]
    judged = ask("iris", "better", truth={key: "tulip" if key[1] == 0 else told for key, told in known.items()})
    assert (judged.verdict, judged.rows["feedback_refused"]) == (PASS, 15)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"truth": {}}, "there is no feedback in the window"),
        ({"truth": {("r0", 0): 1.0}}, "1 distinct rows with feedback in the window, at least 100"),
        ({"truth": {("nobody", 0): 1.0}}, "1 rows have feedback, none of them is the candidate's"),
        ({"minutes_ago": 31.0}, "there is no feedback in the window"),
        ({"masked": ("age", "sex")}, "the candidate masks age, sex"),
        ({"candidate_hash": "s"}, "the same pods"),
        ({"stable_hash": "t"}, "holds no part of stable"),
        ({"candidate_hash": "d"}, "none of them is the candidate's"),
    ],
    ids=["none", "little", "of others", "stale", "masked", "one hash", "no stable", "no candidate"],
)
def test_what_is_missing_is_inconclusive(ask: Ask, given: dict[str, Any], words: str) -> None:
    judged = ask("diabetes", "better", **given)
    assert judged.verdict is INCONCLUSIVE
    assert words in judged.reason


def test_the_report_shows_both_errors(ask: Ask) -> None:
    judged = ask("diabetes", "constant")
    request = parse({**PARTIES, **LIMITS["quality"], "check": "quality", "model": "diabetes"})
    entry = Entry.of(request, judged, seconds=0.1)
    assert Entry.from_json(entry.to_json()) == entry
    shown = page([entry])
    assert "Is it as right as stable, where the truth is known?" in shown
    assert "the candidate&#x27;s errors" in shown or "the candidate's errors" in shown
