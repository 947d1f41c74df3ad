"""Whatever lies in a window, a reference or a part of the log: a judgement or a named oddity, never an exception."""

import gzip
import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.feature import Feature
from models.verdict import Verdict
from services.drift.answers import Answers, from_captured
from services.drift.inputs import InputLimits, judge_inputs
from services.drift.parts import read_part
from services.drift.predictions import Pairs, PredictionLimits, judge_predictions
from services.drift.sample import Sample
from tests.specimens.making import made

DECLARED = (
    Feature(name="x", dtype="float", missing="allow"),
    Feature(name="c", dtype="category", categories=("a", "b"), missing="allow"),
)
INPUTS = InputLimits(min_rows=1, min_distinct_rows=1, max_distance=0.2, alpha=0.05)
PREDICTIONS = PredictionLimits(
    min_rows=1, min_distinct_rows=1, max_beyond_announced=0.1, max_announced=0.5, max_announced_shift=0.25, alpha=0.05
)
ODD = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.0, 3.0, 1e-38, 3e38, -3e38])
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _matrices(n_columns: int) -> st.SearchStrategy[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    shapes = st.tuples(st.integers(0, 30), st.just(n_columns))
    return arrays.arrays(np.float32, shapes, elements=ODD.map(lambda value: float(np.float32(value))))


@QUICK
@given(_matrices(2), _matrices(2), _matrices(2), _matrices(2))
def test_any_rows_get_a_judgement(
    candidate: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    reference: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    stable: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    former: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    samples = [Sample(DECLARED, each) for each in (candidate, reference, stable, former)]
    judged = judge_inputs(samples[0], samples[1], samples[2], samples[3], INPUTS)
    assert judged.verdict in Verdict
    assert judged.reason
    if not all(map(len, samples)):
        assert judged.verdict is Verdict.INCONCLUSIVE


@QUICK
@given(_matrices(4), _matrices(4))
def test_any_answers_get_a_judgement(
    live: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    announced: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    names = ("prediction", "lower", "upper", "width")
    sides = [Answers(names, np.tile(each.astype(np.float64), (1, 1))) for each in (live, announced)]
    turned = [Answers(names, side.values[::-1].copy()) for side in sides]
    judged = judge_predictions(Pairs(sides[0], turned[0]), Pairs(sides[1], turned[1]), PREDICTIONS)
    assert judged.verdict in Verdict
    if not np.isfinite(live).all() and len(announced) >= 20 and len(live):
        assert judged.verdict is Verdict.FAIL


@QUICK
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_part_or_named(data: bytes, packed: bool) -> None:
    part = read_part(gzip.compress(data) if packed else data, max_bytes=1000, max_rows=10)
    assert part.header is None
    assert part.problems


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["prediction", "lower", "upper"]), inner)
    ),
    max_leaves=5,
)


@QUICK
@given(st.lists(st.dictionaries(st.sampled_from(["prediction", "lower", "upper", "probabilities"]), JSON), max_size=4))
def test_any_captured_predictions_are_answers(predictions: list[dict[str, object]]) -> None:
    for name in ("iris-stable", "diabetes-stable"):
        answers = from_captured(predictions, made(name).manifest)
        assert answers.values.shape == (len(predictions), len(answers.names))
        assert not np.isinf(answers.values).any()
