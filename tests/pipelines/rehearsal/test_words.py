"""A gate's reason is read by a person."""

import pytest

from pipelines.rehearsal.words import rule, shown


@pytest.mark.parametrize(
    ("success", "failure", "words"),
    [
        ("len(result) > 0 && !isNaN(result[0]) && result[0] <= 0.005", "", "at most 0.005"),
        ('result == "pass"', 'result == "fail"', "pass"),
        ("0.95 <= result", "", "at least 0.95"),
        ("result >= -1 && result < 1", "", "at least -1 and below 1"),
        ("result[0] <= 0.1 && result[1] <= 2", "", "result[0] at most 0.1 and result[1] at most 2"),
        ("asFloat(result.value) < 5", "", "below 5"),
        ("all(result, # < 0.5)", "", "such that all(result, # < 0.5)"),
        ("", "len(result) > 0 && result[0] > 0.2", "at most 0.2"),
        ("", 'result == "fail"', "not fail"),
        ("", "result > 1 && result < 5", "such that not result > 1 && result < 5"),
        ("result >", "", "such that result >"),
        ("", "", "measured"),
    ],
)
def test_rule(success: str, failure: str, words: str) -> None:
    assert rule(success, failure) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ((0.0213,), "0.0213"),
        ((), "no data"),
        ((1.0, float("nan")), "1, NaN"),
        (0.123456, "0.1235"),
        (450000000.0, "4.5e+08"),
        ("fail", "fail"),
        (None, "nothing"),
        (True, "True"),
    ],
)
def test_shown(value: object, words: str) -> None:
    assert shown(value) == words
