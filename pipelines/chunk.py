"""How many rows a graph of trees takes best at once, measured when it is exported; the bundle carries it to the server.

With many rows, ONNX Runtime walks a forest tree by tree, and rows and trees take turns in the processor's cache. Where
that costs, it costs much: on other versions and processors 128 rows at once were nearly twice as fast as 4,096. Where
it does not, nothing is recorded. The choice is so coarse that the same training gives the same bundle: the gain has to
be larger than any noise.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

from models.predictor import INPUT
from pipelines.tree_questions import has_trees, row_order

ROWS = 4096  # a large request
CANDIDATES = (128, 32)
WORTH = 1.3  # a repeated timing on a busy machine differs by 10 to 20 %
_ROUNDS = 7


def best_chunk(
    graph: bytes, matrix: npt.NDArray[np.float32], clock: Callable[[], float] = time.perf_counter
) -> int | None:
    """Rows at once, or None where the whole is as good; always None where the graph has no trees.

    Args:
        matrix: (n_rows, n_features) encoded rows, at least one; repeated up to 4,096.
        clock: seconds.
    """
    model = onnx.load_from_string(graph)
    if not has_trees(model):
        return None
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # as in the server
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    rows = np.resize(matrix, (ROWS, matrix.shape[1]))
    order = row_order(model)
    if order is not None:  # as the predictor does, which asks no row twice: here they repeat only for want of others
        rows = rows[order.of(rows)]

    def run(part: npt.NDArray[np.float32]) -> Any:
        return session.run(None, {INPUT: part})

    return chosen({size: _seconds(run, rows, size, clock) for size in (ROWS, *CANDIDATES)})


def chosen(seconds: dict[int, float]) -> int | None:
    """The first of the sizes that beats those before it by enough; None for the first."""
    best = None
    least = seconds[ROWS]
    for size in CANDIDATES:
        if seconds[size] * WORTH < least:
            best, least = size, seconds[size]
    return best


def _seconds(run: Callable[[Any], Any], rows: npt.NDArray[np.float32], size: int, clock: Callable[[], float]) -> float:
    """The shortest of several rounds: what disturbs a run only makes it longer."""
    took = []
    for _ in range(_ROUNDS):
        begun = clock()
        for at in range(0, len(rows), size):
            run(rows[at : at + size])
        took.append(clock() - begun)
    return min(took)
