"""Live differences against announced ones: what is decided, on which evidence, and what is left to a person."""

import math
from dataclasses import replace

import numpy as np
import pytest

from models.verdict import Verdict
from services.drift.answers import Answers
from services.drift.judgement import State
from services.drift.pairs import Pairs, PredictionLimits, units_of
from services.drift.predictions import judge_predictions
from services.drift.sample import Values
from services.drift.unpaired import judge_unpaired

LIMITS = PredictionLimits(
    min_rows=500, min_distinct_rows=100, max_beyond_announced=0.1, max_announced=0.5, max_announced_shift=0.25,
    alpha=0.001,
)  # fmt: skip
REGRESSION = ("prediction", "lower", "upper", "width")
CLASSES = ("probability:a", "probability:b", "confidence")


def _answers(prediction: Values, half: float = 1.0) -> Answers:
    width = np.full(len(prediction), 2 * half)
    return Answers(REGRESSION, np.column_stack([prediction, prediction - half, prediction + half, width]))


def _pairs(n_rows: int, *, shift: float = 0.0, noise: float = 0.0, half: float = 1.0, seed: int = 0) -> Pairs:
    """Stable's answers have deviation 2, so a shift of 2 is one unit."""
    chance = np.random.default_rng(seed)
    stable = chance.normal(10, 2, n_rows)
    candidate = stable + 2 * shift + 2 * noise * chance.normal(size=n_rows)
    return Pairs(_answers(candidate, half), _answers(stable))


@pytest.mark.parametrize(
    ("live", "announced", "verdict", "words"),
    [
        ({}, {}, Verdict.PASS, "as announced"),
        ({"noise": 0.4}, {"noise": 0.4}, Verdict.PASS, "as announced"),
        ({"shift": 0.2, "noise": 0.2}, {"shift": 0.2, "noise": 0.2}, Verdict.PASS, "as announced"),
        ({"shift": 0.05}, {}, Verdict.PASS, "as announced"),
        ({"shift": 0.2}, {}, Verdict.FAIL, "beyond what was announced"),
        ({"shift": -0.2}, {"shift": 0.2}, Verdict.FAIL, "beyond what was announced"),
        ({"noise": 0.4}, {"noise": 0.1}, Verdict.FAIL, "beyond what was announced"),
        ({"noise": 0.1}, {"noise": 0.4}, Verdict.PASS, "as announced"),
        ({"noise": 0.8}, {"noise": 0.8}, Verdict.FAIL, "announced difference"),
        ({"shift": 0.4}, {"shift": 0.4}, Verdict.FAIL, "announced shift"),
        ({"half": 0.8}, {"half": 0.8}, Verdict.PASS, "as announced"),
        ({"half": 0.6}, {"half": 0.6}, Verdict.FAIL, "announced difference"),
        ({"noise": 5.0}, {}, Verdict.FAIL, "above the limits"),
    ],
    ids=[
        "identical", "better", "shifted as announced", "a hair", "shifted", "shifted the other way", "noisier",
        "nearer", "too different", "shifted too far", "narrower interval", "overconfident", "far away",
    ],
)  # fmt: skip
def test_live_is_held_against_announced(
    live: dict[str, float], announced: dict[str, float], verdict: Verdict, words: str
) -> None:
    judged = judge_predictions(_pairs(600, **live), _pairs(200, seed=1, **announced), LIMITS)  # type: ignore[arg-type]
    assert judged.verdict is verdict, judged.reason
    assert words in judged.reason or words in judged.findings[0].text


def test_a_candidate_that_says_what_stable_says_passes_whatever_the_rows_are() -> None:
    for seed in range(50):
        pairs = _pairs(500, seed=seed)
        rounded = Pairs(Answers(REGRESSION, pairs.candidate.values.astype(np.float32).astype(float)), pairs.stable)
        assert judge_predictions(rounded, _pairs(37, seed=seed + 1), LIMITS).verdict is Verdict.PASS


@pytest.mark.slow
@pytest.mark.parametrize("n_announced", [37, 113])
def test_false_alarms_are_at_most_alpha_however_few_rows_announce(n_announced: int) -> None:
    """At alpha 0.05 and without a distance to be exceeded, so that some can be counted."""
    strict = replace(LIMITS, alpha=0.05, max_beyond_announced=0.0)
    wrong = [
        judge_predictions(
            _pairs(500, noise=0.3, seed=seed), _pairs(n_announced, noise=0.3, seed=seed + 10_000), strict
        ).verdict
        is not Verdict.PASS
        for seed in range(200)
    ]
    assert np.mean(wrong) <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 200)


def test_on_a_world_that_moved_more_is_forgiven_and_much_is_a_persons() -> None:
    announced = _pairs(200, noise=0.1, seed=1)
    near, far = _pairs(600, shift=0.2, noise=0.1), _pairs(600, shift=0.8)
    judged = judge_predictions(near, announced, LIMITS, world=("bmi",))
    assert (judged.verdict, judged.findings[0].state) == (Verdict.PASS, State.WORLD)
    assert "beyond what was announced" in judged.warnings[0]
    assert judge_predictions(far, announced, LIMITS, world=("bmi",)).verdict is Verdict.INCONCLUSIVE
    assert judge_predictions(far, announced, LIMITS).verdict is Verdict.FAIL
    # what was announced needs no live row, so no world excuses it
    constant = Pairs(_answers(np.full(200, 10.0)), announced.stable)
    assert judge_predictions(near, constant, LIMITS, world=("bmi",)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("n_live", "n_rows", "n_announced", "words"),
    [
        (600, 499, 200, "499 rows of the candidate"),
        (99, 600, 200, "99 distinct rows"),
        (600, None, 19, "19 held-out rows"),
        (0, 0, 0, "0 rows"),
    ],
)
def test_too_little_is_inconclusive(n_live: int, n_rows: int | None, n_announced: int, words: str) -> None:
    judged = judge_predictions(_pairs(n_live, shift=9), _pairs(n_announced, shift=9), LIMITS, n_rows=n_rows)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert words in judged.reason


def test_an_answer_that_is_no_number_fails() -> None:
    live = _pairs(600)
    live.candidate.values[3, 1] = math.nan
    judged = judge_predictions(live, _pairs(200), LIMITS)
    assert judged.verdict is Verdict.FAIL
    assert "1 of 600 answers of the candidate are not finite" in judged.reason


def test_rows_to_which_stable_has_no_answer_are_left() -> None:
    live = _pairs(600)
    live.stable.values[:450] = math.nan
    assert judge_predictions(live, _pairs(200), LIMITS).verdict is Verdict.PASS
    live.stable.values[:550] = math.nan
    judged = judge_predictions(live, _pairs(200), LIMITS)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "stable has no finite answer" in judged.reason


@pytest.mark.parametrize(("share", "verdict"), [(0.005, Verdict.PASS), (0.02, Verdict.FAIL), (1.0, Verdict.FAIL)])
def test_answers_that_are_not_the_bundles_own_fail(share: float, verdict: Verdict) -> None:
    live = _pairs(600)
    told = live.candidate.values.copy()
    told[: round(600 * share), 0] += 0.1
    own = Pairs(Answers(REGRESSION, told), live.candidate)
    assert judge_predictions(live, _pairs(200), LIMITS, own=own).verdict is verdict
    silent = Pairs(live.candidate, Answers(REGRESSION, np.full((600, 4), math.nan)))
    assert judge_predictions(live, _pairs(200), LIMITS, own=silent).verdict is Verdict.FAIL


def test_probabilities_are_measured_in_their_spread_and_no_finer_than_a_twentieth() -> None:
    sure = np.column_stack([np.full(50, 0.999), np.full(50, 0.001), np.full(50, 0.999)])
    np.testing.assert_allclose(units_of(Answers(CLASSES, sure)), 0.05)


def test_a_stable_that_answers_one_number_has_a_unit_all_the_same() -> None:
    stable = _answers(np.full(600, 10.0), half=0.0)
    judged = judge_predictions(Pairs(_answers(np.full(600, 30.0), 0.0), stable), Pairs(stable, stable), LIMITS)
    assert judged.verdict is Verdict.FAIL


def test_swapped_labels_show_in_the_numbers() -> None:
    chance = np.random.default_rng(0)
    first = chance.uniform(size=600)
    stable = Answers(CLASSES, np.column_stack([first, 1 - first, np.maximum(first, 1 - first)]))
    turned = Answers(CLASSES, stable.values[:, [1, 0, 2]])
    judged = judge_predictions(Pairs(turned, stable), Pairs(turned, stable), LIMITS)
    assert judged.verdict is Verdict.FAIL
    assert judged.numbers["label_changes"] == 1.0


def test_without_a_limit_of_the_shift_the_other_holds() -> None:
    loose = replace(LIMITS, max_announced_shift=None)
    for shift, verdict in ((0.4, Verdict.PASS), (0.6, Verdict.FAIL)):
        assert judge_predictions(_pairs(600, shift=shift), _pairs(200, shift=shift), loose).verdict is verdict


@pytest.mark.parametrize(
    ("shift", "announced", "verdict"),
    [(0.0, 0.0, Verdict.PASS), (0.2, 0.2, Verdict.PASS), (0.6, 0.0, Verdict.FAIL), (0.4, 0.4, Verdict.FAIL)],
)
def test_masked_rows_are_compared_window_by_window(shift: float, announced: float, verdict: Verdict) -> None:
    candidate, stable = _pairs(600, shift=shift).candidate, _pairs(1500, seed=5).stable
    judged = judge_unpaired(
        candidate, stable, _pairs(200, shift=announced, seed=1), LIMITS, n_rows=700, masked=("age",)
    )
    assert judged.verdict is verdict, judged.reason
    assert "masked" in judged.warnings[-1]


def test_masked_rows_need_both_windows() -> None:
    few, many = _pairs(50), _pairs(600)
    for candidate, stable in ((few, many), (many, few)):
        judged = judge_unpaired(candidate.candidate, stable.stable, _pairs(200), LIMITS, n_rows=700, masked=("age",))
        assert judged.verdict is Verdict.INCONCLUSIVE
