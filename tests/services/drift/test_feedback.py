"""Feedback in a real folder: joined by its key, the last word counts, and nothing that a part holds raises."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.store import StoreError
from services.drift.feedback import READ_SECONDS, Feedback, read_feedback
from tests.services.drift.capture_log import tell

NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


def read(log: Path, minutes: float = 30) -> Feedback:
    return read_feedback(log.as_uri(), model="iris", begin=NOW - timedelta(minutes=minutes), now=NOW)


def test_the_last_word_on_a_row_counts_whatever_the_order_of_parts(tmp_path: Path) -> None:
    for minutes in (1, 3, 2):
        tell(tmp_path, "iris", {("a", 0): f"told {minutes} ago"}, at=NOW - timedelta(minutes=minutes))
    tell(tmp_path, "iris", {("a", 1): "setosa", ("b", 0): 2.5}, at=NOW - timedelta(minutes=10))
    assert read(tmp_path) == Feedback({("a", 0): "told 1 ago", ("a", 1): "setosa", ("b", 0): 2.5})


def test_what_was_told_outside_of_the_window_is_not_counted(tmp_path: Path) -> None:
    tell(tmp_path, "iris", {("old", 0): 1.0}, at=NOW - timedelta(minutes=31))
    tell(tmp_path, "iris", {("ahead", 0): 1.0}, at=NOW + timedelta(minutes=1))
    tell(tmp_path, "diabetes", {("other", 0): 1.0}, at=NOW)
    tell(tmp_path, "iris", {("now", 0): 1.0}, at=NOW)
    assert set(read(tmp_path).truth) == {("now", 0)}


@pytest.mark.parametrize("truth", [None, True, [1], {"a": 1}, "x" * 300, float("nan"), float("inf"), 10**400])
def test_a_truth_that_is_none_is_kept_as_none(tmp_path: Path, truth: object) -> None:
    tell(tmp_path, "iris", {("a", 0): truth}, at=NOW)
    assert read(tmp_path).truth == {("a", 0): None}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no gzip at all", "is no gzip file"),
        (b"", "has no header"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "is cut short"),
    ],
)
def test_a_damaged_part_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    tell(tmp_path, "iris", {("a", 0): 1.0}, at=NOW)
    tell(tmp_path, "iris", {}, at=NOW - timedelta(seconds=1), data=data)
    found = read(tmp_path)
    assert set(found.truth) == {("a", 0)}
    assert words in found.oddities[0]


def test_a_part_of_another_model_and_lines_that_are_none_are_left_out(tmp_path: Path) -> None:
    tell(tmp_path, "iris", {("a", 0): 1.0}, at=NOW, named="diabetes")
    tell(tmp_path, "iris", {("b", "first"): 1.0, ("c", 1): 1.0}, at=NOW - timedelta(seconds=1))  # type: ignore[dict-item]
    found = read(tmp_path)
    assert set(found.truth) == {("c", 1)}
    assert any("is of diabetes" in odd for odd in found.oddities)
    assert any("no feedback" in odd for odd in found.oddities)


def test_reading_ends_in_time_and_says_so(tmp_path: Path) -> None:
    for minutes in range(20):
        tell(tmp_path, "iris", {(f"r{minutes}", 0): 1.0}, at=NOW - timedelta(minutes=minutes))
    late = iter([0.0, READ_SECONDS + 1, 99.0])
    begin = NOW - timedelta(minutes=30)
    found = read_feedback(tmp_path.as_uri(), model="iris", begin=begin, now=NOW, clock=lambda: next(late))
    assert len(found.truth) == 8
    assert ("r0", 0) in found.truth
    assert "left unread" in found.oddities[0]


def test_no_log_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such folder"):
        read(tmp_path / "nowhere")
