"""Durations are Go's."""

import pytest

from models.errors import ConfigError
from pipelines.rehearsal.duration import pause_seconds, seconds


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("1m30s", 90), ("1.5h", 5400), ("500ms", 0.5), ("0", 0), ("+2m", 120)]
)
def test_seconds(text: str, expected: float) -> None:
    assert seconds(text, "here") == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "30", "2d", "5 s", "s", "1m30", 30, None, "-5s"])
def test_no_duration(text: object) -> None:
    with pytest.raises(ConfigError, match="here: got"):
        seconds(text, "here")


def test_a_pause_takes_plain_seconds_too() -> None:
    assert pause_seconds(30, "here") == pause_seconds("30", "here") == pause_seconds("30s", "here") == 30.0
