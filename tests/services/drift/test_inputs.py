"""A candidate fails for drift of its own, never for the world's; and seldom for nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest

from models.feature import Feature
from models.verdict import Verdict
from services.drift.inputs import InputLimits, judge_inputs, moved_with_the_world
from services.drift.judgement import Judgement, State
from services.drift.sample import Sample
from tests.bench.judge import drawn, false_alarms, features

LIMITS = InputLimits(min_rows=500, min_distinct_rows=100, max_distance=0.2, alpha=0.001)
DECLARED = features(4)


def _sample(n_rows: int, shift: float = 0.0, *, seed: int = 0, unit: float = 1.0) -> Sample:
    sample = drawn(np.random.default_rng(seed), DECLARED, n_rows, shift)
    matrix = sample.matrix.copy()
    matrix[:, 0] *= unit
    return Sample(DECLARED, matrix)


REFERENCE, FORMER = _sample(150, seed=1), _sample(350, seed=2)


def _judged(
    *, shift: float = 0.0, candidate: Sample | None = None, reference: Sample = REFERENCE,
    same_bundle: bool = False, same_time: bool = True,
) -> Judgement:  # fmt: skip
    candidate = _sample(600, shift, seed=3) if candidate is None else candidate
    return judge_inputs(
        candidate, reference, _sample(1800, shift, seed=4), FORMER, LIMITS,
        same_bundle=same_bundle, same_time=same_time,
    )  # fmt: skip


def _state(judged: Judgement, name: str = "f0") -> State:
    return next(found.state for found in judged.findings if found.name == name)


def test_the_same_world_passes() -> None:
    judged = _judged()
    assert judged.verdict is Verdict.PASS
    assert judged.warnings == ()
    assert judged.rows["candidate_distinct"] == 600


@pytest.mark.parametrize("shift", [0.8, 3.0, 30.0])
def test_drift_that_stable_sees_too_passes_and_asks_for_retraining(shift: float) -> None:
    judged = _judged(shift=shift)
    assert judged.verdict is Verdict.PASS
    assert set(moved_with_the_world(judged)) == {"f0", "f1", "f3"}
    assert "retrain" in judged.warnings[0]


@pytest.mark.parametrize("shift", [0.0, 2.0], ids=["steady world", "drifting world"])
@pytest.mark.parametrize("unit", [10.0, 0.1, 1000.0])
def test_a_candidate_trained_on_another_unit_fails(unit: float, shift: float) -> None:
    judged = _judged(shift=shift, reference=_sample(150, seed=1, unit=unit))
    assert judged.verdict is Verdict.FAIL
    assert judged.findings[0].name == "f0"
    assert judged.findings[0].state is State.OWN
    assert "f0" in judged.reason
    assert "median" in judged.reason


def test_a_candidate_trained_on_the_world_of_today_passes_where_stable_is_stale() -> None:
    assert _judged(shift=1.5, reference=_sample(150, 1.5, seed=1)).verdict is Verdict.PASS


def test_a_stale_candidate_fails() -> None:
    assert _judged(reference=_sample(150, -1.5, seed=1)).verdict is Verdict.FAIL


def test_a_canary_that_is_sent_other_rows_fails() -> None:
    judged = _judged(candidate=_sample(600, 2.0, seed=3))
    assert judged.verdict is Verdict.FAIL
    assert _state(judged) is State.APART


def test_rows_of_another_time_are_no_evidence_against_the_candidate() -> None:
    judged = _judged(candidate=_sample(600, 2.0, seed=3), same_time=False)
    assert judged.verdict is Verdict.PASS
    assert _state(judged) is State.WORLD


def test_nothing_is_the_own_of_a_bundle_that_stable_serves_too() -> None:
    assert _judged(candidate=_sample(600, 2.0, seed=3), same_bundle=True).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("n_rows", "repeats", "words"),
    [(499, 1, "499 rows of the candidate"), (30, 20, "30 distinct rows"), (0, 1, "0 rows")],
    ids=["too few", "the same 30 rows replayed", "none"],
)
def test_too_few_rows_are_inconclusive(n_rows: int, repeats: int, words: str) -> None:
    sample = _sample(n_rows, 5.0, seed=3)
    judged = _judged(candidate=Sample(DECLARED, np.repeat(sample.matrix, repeats, axis=0)))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert words in judged.reason


def test_an_empty_reference_is_inconclusive() -> None:
    assert _judged(reference=_sample(0)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("value", [math.nan, math.inf], ids=["all missing", "infinite"])
def test_a_column_that_cannot_be_compared_is_inconclusive(value: float) -> None:
    spoilt = _sample(600, seed=3)
    spoilt.matrix[:, 0] = value
    judged = _judged(candidate=spoilt)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "f0" in judged.reason


def test_a_missing_column_is_inconclusive_and_a_masked_one_a_warning() -> None:
    seen, others = _sample(600, seed=3).only(["f1", "f2", "f3"]), _sample(1800, seed=4).only(["f1", "f2", "f3"])
    assert judge_inputs(seen, REFERENCE, others, FORMER, LIMITS).verdict is Verdict.INCONCLUSIVE
    judged = judge_inputs(seen, REFERENCE, others, FORMER, LIMITS, masked=("f0",))
    assert judged.verdict is Verdict.PASS
    assert "masked" in judged.warnings[0]
    everything = judge_inputs(seen, REFERENCE, others, FORMER, LIMITS, masked=("f0", "f1", "f2", "f3"))
    assert everything.verdict is Verdict.INCONCLUSIVE


def test_failing_goes_before_what_cannot_be_told() -> None:
    spoilt = _sample(600, seed=3)
    spoilt.matrix[:, 1] = math.nan
    judged = _judged(candidate=spoilt, reference=_sample(150, seed=1, unit=10.0))
    assert judged.verdict is Verdict.FAIL


def test_a_category_is_compared_by_name_whatever_its_code() -> None:
    turned = tuple(
        feature.model_copy(update={"categories": ("d", "c", "b", "a", "e")}) if feature.dtype == "category" else feature
        for feature in DECLARED
    )
    stable, former = (_recoded(each, turned) for each in (_sample(1800, seed=4), FORMER))
    judged = judge_inputs(_sample(600, seed=3), REFERENCE, stable, former, LIMITS)
    assert judged.verdict is Verdict.PASS
    assert _state(judged, "f2") is State.STEADY
    still = judge_inputs(_recoded(_sample(600, seed=3), turned), REFERENCE, stable, former, LIMITS)
    assert _state(still, "f2") is State.STEADY


def _recoded(sample: Sample, declared: tuple[Feature, ...]) -> Sample:
    matrix = sample.matrix.copy()
    codes = np.array([3, 2, 1, 0, 5])  # a, b, c, d, missing
    matrix[:, 2] = codes[matrix[:, 2].astype(int)]
    return Sample(declared, matrix)


def test_a_feature_that_stable_has_not_is_judged_by_the_candidates_reference() -> None:
    stable, former = (each.only(["f1", "f2", "f3"]) for each in (_sample(1800, seed=4), FORMER))
    assert judge_inputs(_sample(600, seed=3), REFERENCE, stable, former, LIMITS).verdict is Verdict.PASS
    other = _sample(150, seed=1, unit=10.0)
    assert judge_inputs(_sample(600, seed=3), other, stable, former, LIMITS).verdict is Verdict.FAIL


@pytest.mark.slow
@pytest.mark.parametrize(("n_reference", "looks"), [(113, 100), (331, 60)])
def test_false_alarms_of_small_references_are_at_most_alpha(n_reference: int, looks: int) -> None:
    """At alpha 0.05, so that some can be counted; the test is exact, so 0.001 holds as 0.05 does."""
    wrong = sum(false_alarms(np.random.default_rng(n_reference), looks, 0.05, (500, 4, n_reference)))
    assert wrong / looks <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / looks)


def test_the_limit_is_of_the_distance_and_alpha_of_the_chance() -> None:
    sides = (_sample(600, seed=3), _sample(150, -0.8, seed=1), _sample(1800, seed=4), FORMER)
    assert judge_inputs(*sides, limits=LIMITS).verdict is Verdict.FAIL
    assert judge_inputs(*sides, limits=replace(LIMITS, max_distance=2.0)).verdict is Verdict.PASS
    assert judge_inputs(*sides, limits=replace(LIMITS, alpha=1e-40)).verdict is Verdict.PASS
