"""One prediction from a body to the answer's document; no transport. Called by the route of predictions."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import orjson

from models.feature import all_numbers
from models.predictor import Outputs
from models.rows import Encoded, Matrix, RowProblem, RowsRefused, encode, encode_matrix
from services.body import parse
from services.problems import Fault, Kind, Problem
from services.serving import many_numbers, many_rows
from services.serving.loader import Served
from services.serving.named import named_predictions, named_rows
from services.serving.part import Objects
from services.serving.room import Room
from services.serving.rows import rows_of

# A row takes some 10 to 50 us to check and predict, a hop to a thread and back some 100 us. Up to this many rows it
# would double the latency; above it, computing here would hold up every other request for over a millisecond. The
# runtime releases the interpreter's lock, and its session may be used from several threads.
INLINE_ROWS = 32
INLINE_SECONDS = 0.001
# As many rows of 30 features. Above it, reading alone takes that long.
INLINE_BYTES = 16_384
# Beyond it a double is not exact, and a fast reader makes doubles of integers that the standard library would keep.
EXACT = 2.0**53


class Computed(NamedTuple):
    """What the graph answered, the same as `Predictor.answers` tells it, and the indexes of what is not finite."""

    outputs: Outputs
    predictions: list[dict[str, object]]
    lost: set[int]


@dataclass(frozen=True)
class Answer:
    """What a request is told.

    Attributes:
        rows: what was asked.
        outputs: what the graph answered.
        predictions: the same, one object a row, as `Predictor.answers` makes them; of many positional rows, their JSON.
        warnings: values that the model was not trained for, and that its declaration lets pass.
    """

    rows: Objects
    outputs: Outputs
    predictions: list[dict[str, object]] | orjson.Fragment
    warnings: list[Fault]


async def answer(served: Served, body: bytes, room: Room) -> Answer:
    """Predicts what a body asks, off the event loop where that is much.

    Raises:
        Problem: no JSON, no rows, rows that the model's declaration refuses, or to which it has no finite answer; no
            `room` for them.
    """
    if len(body) > INLINE_BYTES:
        most = min(many_rows.most(body), served.bundle.manifest.serving.max_rows)  # more are refused, not computed
        return await room.run(most, partial(_predict_many, served, body))
    rows = _rows(served, body)
    if len(rows) > INLINE_ROWS:
        return await room.run(len(rows), partial(predict, served, rows))
    room.take(len(rows))
    try:
        return predict(served, rows)
    finally:
        room.give_back(len(rows))


def predict(served: Served, rows: Sequence[Mapping[str, object]]) -> Answer:
    """Predicts rows, here and now.

    Raises:
        Problem: rows that the model's declaration refuses, or to which it has no finite answer.
    """
    try:
        encoded = encode(rows, served.bundle.features)
    except RowsRefused as err:
        raise refused(err) from err
    return _answer(served, rows, encoded)


def compute(served: Served, matrix: Matrix) -> Computed:
    """What the graph answers to encoded rows, (n_rows, n_features) float32."""
    outputs = served.predictor.predict(matrix)
    return Computed(outputs, served.predictor.answers(outputs), _lost(outputs))


def refused(err: RowsRefused) -> Problem:
    """The refusal of rows that the model's declaration refuses."""
    faults = [fault(problem) for problem in err.problems]
    first = faults[0]
    detail = f"{err.n_problems} values were refused; the first: {first.feature}: {first.rule}."
    return Problem(Kind.ROWS_REFUSED, detail, faults)


def unanswered(rows: Sequence[int], warnings: Iterable[RowProblem]) -> Problem:
    """The refusal of `rows`, to which the model has no finite answer."""
    faults = [
        Fault("prediction", "not finite", "an answer is finite", "send values nearer to the declared ranges", row)
        for row in rows[:100]
    ]
    # A row that the declaration lets pass without a warning is the model's to answer: counted as failed, so that
    # the gates of a rollout see it. With a value out of its range, the caller can mend it.
    odd = {warning.row for warning in warnings}
    status = 422 if all(row in odd for row in rows) else 500
    return Problem(Kind.NO_FINITE_ANSWER, f"{len(rows)} rows have no finite answer.", faults, status=status)


def fault(problem: RowProblem) -> Fault:
    """A problem of a row, as documents tell it."""
    return Fault(problem.feature, problem.value, problem.rule, problem.remedy, problem.row)


def _predict_many(served: Served, body: bytes) -> Answer:
    answered = _predict_numbers(served, body)
    if answered is not None:
        return answered
    rows = many_rows.read(body, served.feature_names, max_rows=served.bundle.manifest.serving.max_rows)
    if rows is not None:
        # A refusal is told of what the letter of the standard reads: of all digits of a number.
        with contextlib.suppress(RowsRefused):
            encoded = encode(rows, served.bundle.features)
            if not (np.abs(encoded.matrix) >= EXACT).any():
                return _answer(served, rows, encoded)
    return predict(served, _rows(served, body))


def _predict_numbers(served: Served, body: bytes) -> Answer | None:
    """The same of positional rows of numbers; None where they are not, or where there is something to tell of them."""
    features = served.bundle.features
    if not all_numbers(features) or "features" in served.feature_names:
        return None
    matrix = many_numbers.rows(body, len(features))
    if matrix is None or len(matrix) > served.bundle.manifest.serving.max_rows:
        return None
    with contextlib.suppress(RowsRefused):
        encoded = encode_matrix(matrix, features)
        if not encoded.n_warnings and not (np.abs(encoded.matrix) >= EXACT).any():
            return _answer(served, named_rows(features, list(matrix.T), len(matrix)), encoded)
    return None


def _rows(served: Served, body: bytes) -> list[Mapping[str, object]]:
    return rows_of(parse(body), served.feature_names, max_rows=served.bundle.manifest.serving.max_rows)


def _answer(served: Served, rows: Objects, encoded: Encoded) -> Answer:
    outputs = served.predictor.predict(encoded.matrix)
    if lost := _lost(outputs):
        raise unanswered(sorted(lost), encoded.warnings)
    predictions: list[dict[str, object]] | orjson.Fragment
    if isinstance(rows, Sequence):
        predictions = served.predictor.answers(outputs)
    else:  # the same bytes, in half the time of objects that are written
        texts = named_predictions(served.bundle.manifest.classes, outputs).texts(slice(len(rows)), ())
        predictions = orjson.Fragment(b"[%b]" % b",".join(texts))
    return Answer(rows, outputs, predictions, [fault(problem) for problem in encoded.warnings])


def _lost(outputs: Outputs) -> set[int]:
    """Indexes of rows whose answer is not finite."""
    lost: set[int] = set()
    for values in outputs.values():
        finite = np.isfinite(values)
        if not finite.all():
            lost.update(np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1)).tolist())
    return lost
