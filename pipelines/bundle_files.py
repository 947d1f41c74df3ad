"""What lies in a bundle beside the graph: golden rows, the reference window, held-out rows, the background sample."""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.bundle import Golden, Tolerance, background_json
from models.rows import decode, encode
from models.spec import ModelSpec

Matrix = npt.NDArray[np.float32]
Predict = Callable[[Matrix], dict[str, npt.NDArray[np.float64]]]

GOLDEN_ROWS = 16
REFERENCE_ROWS = 5000
HELD_OUT_ROWS = 1000  # an announced difference is then known to 3 % of its spread
BACKGROUND_ROWS = 100
_SEED = 0

# float32 sums are ordered otherwise on another processor: 1e-4 of the value is ten times what was seen between AVX2,
# AVX-512 and ARM, and a thousandth of what any wrong model would be off by.
TOLERANCE = Tolerance(absolute=1e-5, relative=1e-4)


def golden(spec: ModelSpec, held_out: Matrix, training: Matrix, predict: Predict) -> bytes:
    """golden.json: at least 16 rows as a client would send them, and one more for each feature that may be missing."""
    pool = np.concatenate([held_out, training])[: 4 * GOLDEN_ROWS]
    rows = decode(pool[np.arange(GOLDEN_ROWS) % len(pool)], spec.features)
    rows += [{**rows[0], feature.name: None} for feature in spec.features if feature.missing == "allow"]
    outputs = predict(encode(rows, spec.features).matrix)
    return Golden(rows, {name: values.tolist() for name, values in outputs.items()}, TOLERANCE).to_json()


def reference(spec: ModelSpec, training: Matrix, predict: Predict) -> bytes:
    """reference.parquet: at most 5,000 training rows, encoded, with what the graph answers for them."""
    return _answered(spec, _sample(training, REFERENCE_ROWS), predict)


def held_out(spec: ModelSpec, rows: Matrix, predict: Predict) -> bytes:
    """held_out.parquet: at most 1,000 rows that training never saw, in the same columns.

    They announce how a new version's answers differ from the former one's; the judge compares live traffic with that.
    """
    return _answered(spec, _sample(rows, HELD_OUT_ROWS), predict)


def background(training: Matrix) -> bytes:
    """background.json: at most 100 encoded training rows, null for NaN; explanations average over them."""
    return background_json(_sample(training, BACKGROUND_ROWS))


def _sample(matrix: Matrix, most: int) -> Matrix:
    if len(matrix) <= most:
        return matrix
    chosen = np.random.default_rng(_SEED).choice(len(matrix), most, replace=False)
    return matrix[np.sort(chosen)]


def _answered(spec: ModelSpec, rows: Matrix, predict: Predict) -> bytes:
    """Parquet of encoded rows, and of what the graph answers for them."""
    frame = pd.DataFrame(rows, columns=list(spec.feature_names))
    outputs = predict(rows)
    if spec.classes:
        frame["prediction"] = np.array(spec.classes)[np.argmax(outputs["probabilities"], axis=1)]
        for number, name in enumerate(spec.classes):
            frame[f"probability:{name}"] = outputs["probabilities"][:, number].astype(np.float32)
    else:
        for name in ("prediction", "lower", "upper"):
            frame[name] = outputs[name].astype(np.float32)
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()
