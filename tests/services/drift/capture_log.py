"""Capture logs as pods would have left them: real bundles' answers to a model's traffic, in the server's own parts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from models.bundle import Bundle
from models.predictor import Predictor
from models.rows import decode
from models.store import write_bytes
from pipelines.rehearsal.simulate.pool import traffic_rows
from services.serving import part
from services.serving.settings import Settings

_REQUEST = 10


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
) -> None:
    """Writes what pods of this hash answered in the minutes before `until`.

    Args:
        uri, digest: of another bundle, where the header is to lie.
        drift: how far the world has moved, in standard deviations of two features.
        masked: features whose values are left out.
    """
    model = bundle.manifest.model
    matrix = traffic_rows(model, drift, n_rows, np.random.default_rng(seed))
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
