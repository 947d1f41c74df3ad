"""Losses of both on the same rows: what fails a candidate, what does not, and what is not enough to say."""

import numpy as np
import numpy.typing as npt
import pytest

from models.verdict import Verdict
from services.drift.answers import Answers, Values
from services.drift.pairs import Pairs
from services.drift.quality import QualityLimits, by_chance, judge_quality, least_rows

LIMITS = QualityLimits(min_feedback=200, max_worse=0.2, alpha=0.001)
CLASSES = ("probability:a", "probability:b", "confidence")
PASS, FAIL, INCONCLUSIVE = Verdict


def numbers(prediction: Values) -> Answers:
    return Answers(
        ("prediction", "lower", "upper", "width"),
        np.column_stack([prediction, prediction - 1, prediction + 1, np.full(len(prediction), 2.0)]),
    )


def labels(second: npt.NDArray[np.bool_]) -> Answers:
    sure = np.where(second, 0.1, 0.9)
    return Answers(CLASSES, np.column_stack([sure, 1 - sure, np.full(len(sure), 0.9)]))


def regression(n_rows: int = 500, *, shift: float = 0.0, noise: float = 1.0, seed: int = 0) -> tuple[Pairs, Values]:
    """Stable errs by a deviation of 1, the candidate by `noise` around `shift`."""
    chance = np.random.default_rng(seed)
    truth = chance.normal(10, 3, n_rows)
    stable, own = chance.normal(size=(2, n_rows))
    return Pairs(numbers(truth + shift + noise * own), numbers(truth + stable)), truth


def classification(wrong: float, wrong_stable: float, n_rows: int = 500) -> tuple[Pairs, Values]:
    chance = np.random.default_rng(0)
    truth = chance.random(n_rows) < 0.5
    sides = [labels(truth ^ (chance.random(n_rows) < share)) for share in (wrong, wrong_stable)]
    return Pairs(*sides), truth.astype(np.float64)


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (regression(), PASS),
        (regression(noise=0.7), PASS),
        (regression(noise=1.05), PASS),
        (regression(noise=2.0), FAIL),
        (regression(shift=2.0), FAIL),
        (regression(shift=-2.0, noise=0.5), FAIL),
        (classification(0.1, 0.1), PASS),
        (classification(0.05, 0.4), PASS),
        (classification(0.2, 0.1), PASS),
        (classification(0.5, 0.1), FAIL),
    ],
    ids=["same", "better", "a hair", "noisier", "shifted", "shifted down", "equal", "righter", "in limits", "wronger"],
)
def test_a_candidate_fails_that_is_worse_than_the_limit(made: tuple[Pairs, Values], verdict: Verdict) -> None:
    judged = judge_quality(*made, LIMITS)
    assert judged.verdict is verdict, judged.reason
    assert judged.rows["feedback_distinct"] == 500
    assert judged.findings[0].histogram is not None


def test_an_identical_model_is_no_worse() -> None:
    pairs, truth = regression()
    judged = judge_quality(Pairs(pairs.stable, pairs.stable), truth, LIMITS)
    assert judged.verdict is PASS
    assert (judged.numbers["worse"], judged.numbers["p_value"]) == (0, 1)


def test_too_little_feedback_is_inconclusive() -> None:
    judged = judge_quality(*regression(199, shift=9.0), LIMITS)
    assert judged.verdict is INCONCLUSIVE
    assert "199 distinct rows with feedback in the window, at least 200" in judged.reason
    assert judge_quality(*regression(200, shift=9.0), LIMITS).verdict is FAIL


def test_fewer_rows_than_could_ever_fail_never_pass() -> None:
    limits = QualityLimits(min_feedback=1, max_worse=0.2, alpha=0.001)
    assert least_rows(0.001) == 14
    assert judge_quality(*classification(1.0, 0.0, 13), limits).verdict is INCONCLUSIVE
    assert judge_quality(*classification(1.0, 0.0, 14), limits).verdict is FAIL


def test_the_same_rows_again_are_no_more_rows() -> None:
    pairs, truth = regression(30, shift=9.0)
    again = np.tile(np.arange(30), 20)
    many = Pairs(pairs.candidate.at(again), pairs.stable.at(again))
    judged = judge_quality(many, truth[again], LIMITS, groups=again)
    assert (judged.verdict, judged.rows["feedback_distinct"]) == (INCONCLUSIVE, 30)


def test_answers_that_are_no_numbers_fail() -> None:
    pairs, truth = regression()
    pairs.candidate.values[3, 0] = np.nan
    judged = judge_quality(pairs, truth, LIMITS)
    assert judged.verdict is FAIL
    assert "1 of 500 answers of the candidate are not finite" in judged.reason


def test_what_stable_or_nobody_can_say_is_left_out() -> None:
    pairs, truth = regression()
    pairs.stable.values[:10] = np.nan
    truth[490:] = np.nan
    judged = judge_quality(pairs, truth, LIMITS)
    assert (judged.verdict, judged.rows["feedback_distinct"], judged.rows["feedback_refused"]) == (PASS, 480, 10)


@pytest.mark.parametrize("wrong", [1e38, -1e38, 1e9])
def test_a_truth_told_wrong_hides_nothing_and_fails_nobody(wrong: float) -> None:
    for shift, verdict in ((0.0, PASS), (2.0, FAIL)):
        pairs, truth = regression(shift=shift)
        truth[7] = wrong
        assert judge_quality(pairs, truth, LIMITS).verdict is verdict


def test_a_stable_that_is_always_right_can_be_worse_than() -> None:
    pairs, truth = regression(shift=0.5)
    assert judge_quality(Pairs(pairs.candidate, numbers(truth)), truth, LIMITS).verdict is FAIL


def test_false_alarms_stay_below_alpha_at_every_size() -> None:
    chance = np.random.default_rng(0)
    for n_rows in (14, 50, 500):
        for heavy in (False, True):
            drawn = chance.standard_t(2, (4000, n_rows)) if heavy else chance.normal(size=(4000, n_rows))
            assert sum(by_chance(worse) < 0.01 for worse in drawn) < 40


def test_the_better_of_the_two_passes_as_candidate() -> None:
    pairs, truth = regression(shift=2.0)
    assert judge_quality(Pairs(pairs.stable, pairs.candidate), truth, LIMITS).verdict is PASS
