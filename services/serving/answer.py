"""One prediction from rows to the answer's document; no transport. Called by the route of predictions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from models.rows import Encoded, RowProblem, RowsRefused, encode
from services.problems import Fault, Kind, Problem
from services.serving.loader import Served
from services.serving.room import Room

# A row takes some 10 to 50 us to check and predict, a hop to a thread and back some 100 us. Up to this many rows it
# would double the latency; above it, computing here would hold up every other request for over a millisecond. The
# runtime releases the interpreter's lock, and its session may be used from several threads.
INLINE_ROWS = 32


@dataclass(frozen=True)
class Answer:
    """What a request is told.

    Attributes:
        predictions: one object a row, as `Predictor.answers` makes them.
        warnings: values that the model was not trained for, and that its declaration lets pass.
    """

    predictions: list[dict[str, object]]
    warnings: list[Fault]


async def answer(served: Served, rows: Sequence[Mapping[str, object]], room: Room) -> Answer:
    """Predicts rows, off the event loop where they are many.

    Raises:
        Problem: rows that the model's declaration refuses, or to which it has no finite answer; no `room` for them.
    """
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
        Problem: as for `answer`.
    """
    encoded = _encode(served, rows)
    predictions = served.predictor.answers(served.predictor.predict(encoded.matrix))
    faults = [
        Fault("prediction", "not finite", "an answer is finite", "send values nearer to the declared ranges", index)
        for index, prediction in enumerate(predictions)
        if not _finite(prediction)
    ]
    if faults:
        # A row that the declaration lets pass without a warning is the model's to answer: counted as failed, so that
        # the gates of a rollout see it. With a value out of its range, the caller can mend it.
        odd = {warning.row for warning in encoded.warnings}
        status = 422 if all(fault.row in odd for fault in faults) else 500
        raise Problem(Kind.NO_FINITE_ANSWER, f"{len(faults)} rows have no finite answer.", faults[:100], status=status)
    return Answer(predictions, [_fault(problem) for problem in encoded.warnings])


def _encode(served: Served, rows: Sequence[Mapping[str, object]]) -> Encoded:
    try:
        return encode(rows, served.bundle.features)
    except RowsRefused as err:
        faults = [_fault(problem) for problem in err.problems]
        first = faults[0]
        detail = f"{err.n_problems} values were refused; the first: {first.feature}: {first.rule}."
        raise Problem(Kind.ROWS_REFUSED, detail, faults) from err


def _fault(problem: RowProblem) -> Fault:
    return Fault(problem.feature, problem.value, problem.rule, problem.remedy, problem.row)


def _finite(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_finite(part) for part in value.values())
    return not isinstance(value, float) or math.isfinite(value)
