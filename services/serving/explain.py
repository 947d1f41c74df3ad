"""Why the model answered what it did: what each feature of a row contributed, against the bundle's background rows.

Called by the route of explanations, in a thread: an explanation asks the graph tens of thousands of rows. It has two
seconds for all rows of its request, and where they are over it tells what it has, and how exact that is. Predictions
share the processor with it, and nothing else.
"""

import difflib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from models.findings import Matrix
from models.rows import encode
from services.problems import Fault, Kind, Problem
from services.serving.answer import Answer, predict
from services.serving.loader import Served
from services.serving.shapley import Explained, Values, explain

MAX_ROWS = 8
# What a person waits for. A house of 29 features takes 0.2 s, an image of 64 pixels some 0.5 s.
SECONDS = 2.0
EXACT, SAMPLED = "exact Shapley values", "sampled Shapley values (antithetic permutations)"


def explanations(
    served: Served,
    rows: Sequence[Mapping[str, object]],
    asked: str | None,
    *,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[dict[str, Any]], Answer]:
    """The contributions of each row's features, a document a row, and what /predict answers to the rows.

    Args:
        asked: the class whose probability is explained; None for the one that is predicted, or for a number.

    Raises:
        Problem: rows or class that the model's declaration refuses, no finite answer, or a bundle without background.
    """
    end = clock() + seconds
    classes = served.bundle.manifest.classes
    _check_class(asked, classes)
    background = served.bundle.background
    if not len(background):
        fault = Fault("background.json", "no rows", "explanations compare with them", "train the model again")
        raise Problem(Kind.NO_BACKGROUND, "The bundle holds no background rows.", [fault])
    answered = predict(served, rows)
    matrix = encode(rows, served.bundle.features).matrix
    documents = []
    for index, (row, prediction) in enumerate(zip(matrix, answered.predictions, strict=True)):
        name = (asked or str(prediction["prediction"])) if classes else None
        now = clock()
        until = now + (end - now) / (len(matrix) - index)  # what is left, shared by the rows that are left

        def late(until: float = until) -> bool:
            return clock() >= until

        explained = explain(row, background, _graph(served, name), late=late)
        if not (np.isfinite(explained.contributions).all() and math.isfinite(explained.base_value)):
            rule = "an answer is finite for the background rows too, with some of this row's values in them"
            fault = Fault("prediction", "not finite", rule, "send values nearer to the declared ranges", index)
            raise Problem(Kind.NO_FINITE_ANSWER, "A row has no finite explanation.", [fault])
        documents.append(_document(explained, served, name))
    return documents, answered


def _check_class(asked: str | None, classes: Sequence[str]) -> None:
    """Nothing, where the model knows the class, or none was asked for.

    Raises:
        Problem: it does not, or it predicts numbers.
    """
    if asked is None or asked in classes:
        return
    near = difflib.get_close_matches(asked[:100], classes, 1)
    remedy = f"did you mean {near[0]}?" if near else "leave it out"
    known = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    rule = f"must be one of {known}" if classes else "the model predicts a number, no class"
    raise Problem(Kind.REQUEST_REFUSED, f"class {rule}.", [Fault("class", asked, rule, remedy)])


def _graph(served: Served, name: str | None) -> Callable[[Matrix], Values]:
    """The one output that is explained, of each row."""
    predictor = served.predictor
    if name is None:
        return lambda matrix: predictor.predict(matrix)["prediction"].astype(np.float64)
    column = served.bundle.manifest.classes.index(name)
    return lambda matrix: predictor.predict(matrix)["probabilities"][:, column].astype(np.float64)


def _document(explained: Explained, served: Served, name: str | None) -> dict[str, Any]:
    names = served.feature_names
    of = {"unit": served.bundle.manifest.outputs[0].unit} if name is None else {"class": name}
    return {
        **of,
        "value": explained.value,
        "base_value": explained.base_value,
        "contributions": dict(zip(names, explained.contributions.tolist(), strict=True)),
        "standard_errors": dict(zip(names, explained.standard_errors.tolist(), strict=True)),
        "method": EXACT if explained.exact else SAMPLED,
        "samples": explained.n_samples,
        "background_rows": explained.n_background,
        "graph_rows": explained.n_graph_rows,
        "complete": explained.whole,
    }
