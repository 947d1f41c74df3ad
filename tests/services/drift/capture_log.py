"""Capture logs as pods would have left them: real bundles' answers to a model's traffic, in the server's own parts."""

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import Bundle
from models.findings import Matrix
from models.predictor import Predictor
from models.rows import decode
from models.store import write_bytes
from pipelines.rehearsal.simulate.pool import traffic_rows
from services.serving import part
from services.serving.settings import Settings

_REQUEST = 10
Key = tuple[str, int]


def leave(
    log: Path,
    bundle: Bundle,
    *,
    pods: str,
    n_rows: int = 700,
    version: str = "1",
    uri: str = "",
    digest: str = "",
    drift: float = 0.0,
    until: datetime | None = None,
    minutes: float = 5.0,
    seed: int = 0,
    masked: tuple[str, ...] = (),
    matrix: Matrix | None = None,
) -> None:
    """Writes what pods of this hash answered in the minutes before `until`.

    Args:
        uri, digest: of another bundle, where the header is to lie.
        drift: how far the world has moved, in standard deviations of two features.
        masked: features whose values are left out.
        matrix: rows in place of traffic that is drawn.
    """
    model = bundle.manifest.model
    if matrix is None:
        matrix = traffic_rows(model, drift, n_rows, np.random.default_rng(seed))
    n_rows = len(matrix)
    predictor = Predictor(bundle)
    rows, answers = decode(matrix, bundle.features), predictor.answers(predictor.predict(matrix))
    settings = Settings(
        model=model, version=version, uri=uri or bundle.folder.as_uri(), digest=digest or bundle.digest, cache=log,
        capture_uri=log.as_uri(), pod_template_hash=pods,
    )  # fmt: skip
    end = until or datetime.now(UTC)
    begin = end - timedelta(minutes=minutes)
    hours: dict[str, list[part.Captured]] = {}
    for first in range(0, n_rows, _REQUEST):
        at = begin + (end - begin) * (first + 1) / n_rows
        requests = hours.setdefault(f"{at:%Y-%m-%dT%H}", [])
        requests.append(
            part.Captured(at, f"r{first}", rows[first : first + _REQUEST], answers[first : first + _REQUEST], 0)
        )
    for hour, requests in hours.items():
        uri_of_part = part.address(settings, hour, requests[-1].at)
        write_bytes(uri_of_part, part.encode(settings, requests, masked))


def keys(n_rows: int) -> list[Key]:
    """The keys of the rows that `leave` wrote."""
    return [(f"r{row - row % _REQUEST}", row % _REQUEST) for row in range(n_rows)]


def tell(
    log: Path, model: str, truth: Mapping[Key, Any], *, at: datetime, named: str = "", data: bytes | None = None
) -> None:
    """Writes a part of feedback as the server is to write it; `named` is the model that its header says."""
    head: dict[str, object] = {"feedback": 1, "model": named or model, "pod": "p"}
    lines = [
        {"time": at.isoformat(), "request_id": key[0], "row": key[1], "truth": told} for key, told in truth.items()
    ]
    text = "".join(json.dumps(line) + "\n" for line in [head, *lines])
    name = f"model={model}/feedback/hour={at:%Y-%m-%dT%H}/{at:%Y%m%dT%H%M%S%f}-p-{len(truth)}.jsonl.gz"
    write_bytes(f"{log.as_uri()}/{name}", gzip.compress(text.encode()) if data is None else data)
