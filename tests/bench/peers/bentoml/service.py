"""BentoML with its adaptive batching. BENCH_ESTIMATOR names the estimator's file, BENCH_PORT the port."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(
    workers=1,
    traffic={"timeout": 30},
    http={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])},
    logging={"access": {"enabled": False}},
)
class Peer:
    """One batchable endpoint."""

    def __init__(self) -> None:
        self.estimator = joblib.load(os.environ["BENCH_ESTIMATOR"])

    @bentoml.api(batchable=True, max_batch_size=4096, max_latency_ms=1000)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.estimator.predict(rows)
