"""KServe's scikit-learn server: its own Python package around `predict`, with its log lines for each request off.

BENCH_MODEL names the model, BENCH_ESTIMATOR the estimator's file, BENCH_PORT the port.
"""

import copy
import os

import joblib
from kserve import InferRequest, InferResponse, Model, ModelServer
from kserve.logging import KSERVE_LOG_CONFIG, configure_logging
from kserve.utils.utils import get_predict_input, get_predict_response


class Sklearn(Model):
    """As KServe's own sklearnserver has it."""

    def load(self) -> bool:
        self.estimator = joblib.load(os.environ["BENCH_ESTIMATOR"])
        self.ready = True
        return True

    async def predict(self, payload: dict | InferRequest, headers: dict | None = None) -> dict | InferResponse:
        return get_predict_response(payload, self.estimator.predict(get_predict_input(payload)), self.name)


if __name__ == "__main__":
    quiet = copy.deepcopy(KSERVE_LOG_CONFIG)
    for each in quiet["loggers"].values():
        each["level"] = "WARNING"
    configure_logging(quiet)
    served = Sklearn(os.environ["BENCH_MODEL"])
    served.load()
    port = int(os.environ["BENCH_PORT"])
    ModelServer(http_port=port, enable_grpc=False, workers=1, enable_latency_logging=False).start([served])
