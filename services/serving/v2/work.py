"""One inference from bytes to bytes; no transport, no event loop. Done where it comes, or in a thread."""

from dataclasses import dataclass

from starlette.responses import Response

from models.predictor import Outputs
from services.serving.loader import Served
from services.serving.named import Named, named_predictions
from services.serving.v2 import inputs, requests, responses
from services.serving.v2.requests import InferRequest

# Besides the graph: of 4,096 rows x 30 numbers as bytes, judging takes 85 us, the answer 40, what the logs keep 30.
_CELL_SECONDS, _ROW_SECONDS = 1e-9, 30e-9
# What came as JSON or as strings, which become numbers one by one.
_SLOW_BYTE_SECONDS = 60e-9


@dataclass(frozen=True)
class Worked:
    """What came of it: the answer, and what the logs may want of it."""

    response: Response
    outputs: Outputs
    rows: Named
    predictions: Named


@dataclass(frozen=True)
class Work:
    """An inference to be done.

    Attributes:
        body: of the request; its first `json_bytes` are the JSON object.
    """

    served: Served
    version: str
    request_id: str
    body: bytes
    json_bytes: int

    @property
    def slow_bytes(self) -> int:
        """Bytes that cost some 30 ns each: JSON, and strings, of whatever form. Numbers as bytes cost a hundredth."""
        return len(self.body) if b"BYTES" in self.body[: self.json_bytes] else self.json_bytes

    def seconds(self, n_rows: int) -> float:
        """About what `compute` takes for so many rows."""
        features = len(self.served.bundle.features)
        each = self.served.row_seconds + _ROW_SECONDS + _CELL_SECONDS * features
        return n_rows * each + self.slow_bytes * _SLOW_BYTE_SECONDS

    @property
    def most_rows(self) -> int:
        """Rows that a body can hold whose JSON object is large: a value takes two bytes at least."""
        features = len(self.served.bundle.features)
        return max(1, min(self.served.bundle.manifest.serving.max_rows, len(self.body) // (2 * features)))

    def read(self) -> InferRequest:
        """The request, its tensors not looked into.

        Raises:
            Problem: it is not what the protocol describes.
        """
        return requests.parse(self.body, self.json_bytes)

    def n_rows(self, asked: InferRequest) -> int:
        """Rows that the request states, at most as many as the model takes."""
        return max(1, min(asked.inputs[0].shape[0], self.served.bundle.manifest.serving.max_rows))

    def whole(self) -> Worked:
        """Reads and computes.

        Raises:
            Problem: as both.
        """
        return self.compute(self.read())

    def compute(self, asked: InferRequest) -> Worked:
        """The answer.

        Raises:
            Problem: tensors or outputs that the model has not, rows that it refuses, or no finite answer.
        """
        manifest, predictor = self.served.bundle.manifest, self.served.predictor
        wanted = responses.asked(asked, manifest)
        given = inputs.rows(asked, self.served.bundle.features, max_rows=manifest.serving.max_rows)
        outputs = predictor.predict(given.encoded.matrix)
        responses.check_finite(outputs, given.encoded)
        who = responses.Identity(manifest.model, self.version, self.request_id)
        answer = responses.response(asked, wanted, outputs, given.encoded, manifest, who)
        return Worked(answer, outputs, given.named, named_predictions(manifest.classes, outputs))
