"""Windows of traffic for the specimens, written as capture logs by the serving application's own writer.

A rehearsal replays them. The rows are the model's table, resampled and jittered from a fixed seed, in this world or in
one that moved.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.rows import decode
from models.store import write_bytes
from pipelines.rehearsal.simulate.pool import traffic_rows
from services.serving import part
from services.serving.settings import Settings
from tests.specimens.catalogue import Case, Traffic
from tests.specimens.making import made

ROWS = 3000
# Two features by so many standard deviations: far beyond what the gates let a candidate have alone.
DRIFT = 1.0
_REQUEST = 100
# Requests a second. `little`: enough for a burst of errors to be seen, too few for the ratio's gate; `quiet`: neither.
RATES: dict[Traffic, float] = {"usual": 100.0, "drifted": 100.0, "little": 8.0, "quiet": 1.0}


def captured(case: Case, folder: Path) -> str:
    """The address of a capture log that holds the case's window."""
    bundle = made(f"{case.model}-stable")
    chance = np.random.default_rng(0)
    rows = decode(traffic_rows(case.model, DRIFT if case.traffic == "drifted" else 0.0, ROWS, chance), bundle.features)
    uri = (folder / "captured").as_uri()
    settings = Settings(
        model=case.model, version="1", uri=bundle.folder.as_uri(), digest=bundle.digest, cache=folder,
        capture_uri=uri, pod_template_hash="stable",
    )  # fmt: skip
    at = datetime.now(UTC)
    requests = [
        part.Captured(at, f"r{first}", rows[first : first + _REQUEST], [{}] * _REQUEST, 0)
        for first in range(0, ROWS, _REQUEST)
    ]
    write_bytes(part.address(settings, at.strftime("%Y-%m-%dT%H"), at), part.encode(settings, requests, ()))
    return uri
