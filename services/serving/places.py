"""Where the rows of routed requests were answered, so that no truth is credited to another row. Shared by all models.

A request that several models answer is asked of each under an id of its own (`own_id`), which the answer's `routed`
tells with the row. So a truth under the caller's id is of no row in any capture log, whichever pod is told it. The pod
that answered refuses it, and says where to tell it: at `/models/<m>/feedback`, as `routed` has it.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np

from services.serving.recall import Recall

# Rows that are remembered, as many as answers (`feedback`): 5 MiB.
ROWS = 2**18
_MOST_ID = 128  # characters, as `edge` takes them


class Places:
    """Remembers which model was asked for a row.

    A row is kept as one number: of a request that one model answered alone -1 less the model's place; of others the
    model's place and, times the number of models, the row that it was there.
    """

    def __init__(self, models: Sequence[str]) -> None:
        self._models = models
        self._rows = Recall(ROWS)

    def remember(self, request_id: str, rows: Mapping[str, Sequence[int]]) -> None:
        """Keeps who is asked for the rows of a request; the last one of an id counts.

        Args:
            rows: by model, the places in the request of the rows that it has, in order.
        """
        values = np.empty(sum(len(places) for places in rows.values()))
        for model, places in rows.items():
            number = self._models.index(model)
            own = np.arange(len(places))
            values[np.asarray(places, dtype=np.intp)] = (
                -1 - number if len(rows) == 1 else number + own * len(self._models)
            )
        self._rows.remember(request_id, values)

    def elsewhere(self, model: str, request_id: str, row: int | None) -> tuple[str, str] | None:
        """Of a truth told to `model`, the rule and the remedy, where it is known to be of another model or id."""
        known = self._rows.find(request_id, row or 0)
        if known is None:
            return None
        value = round(known.value)
        if value < 0:
            answered = self._models[-1 - value]
            rule = f"the request was answered by {answered}"
            return None if answered == model else (rule, f"tell it at /models/{answered}/feedback")
        own, number = divmod(value, len(self._models))
        answered = self._models[number]
        return (
            f"several models answered the request; row {row or 0} is {answered}'s",
            f"tell it at /models/{answered}/feedback as row {own} of {own_id(request_id, answered)}",
        )


def own_id(request_id: str, model: str) -> str:
    """The id under which a model is asked for its part of a request."""
    made = f"{request_id}.{model}"
    return made if len(made) <= _MOST_ID else f"{sha256(request_id.encode('ascii')).hexdigest()}.{model}"
