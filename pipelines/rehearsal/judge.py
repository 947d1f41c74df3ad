"""The real judge, `python -m services.drift`, as a process of the rehearsal."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.rehearsal.child import Child

# It imports Evidently and pandas, 5 s of a processor, which a busy machine has been seen not to give in 40. One that
# ends before is heard of at once.
_READY_SECONDS = 120.0
_GRACE_SECONDS = 5.0


def launch(home: Path, url: str, *, capture: str, stores: set[str]) -> Child:
    """Starts the judge, to answer at `url`, and returns at once; `await_ready` waits for it.

    Args:
        home: its folder: cache, reports and log.
        url: its address.
        capture: address of the capture log.
        stores: addresses below which it may fetch bundles.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MAINLINE_")}
    environment = inherited | {
        "MAINLINE_CAPTURE_URI": capture,
        "MAINLINE_BUNDLE_STORES": " ".join(sorted(stores)),
        "MAINLINE_REPLAY_HOSTS": "127.0.0.1",
        "MAINLINE_CACHE_DIR": str(home / "cache"),
        "MAINLINE_REPORTS_DIR": str(home / "reports"),
        "MAINLINE_HOST": "127.0.0.1",
        "MAINLINE_PORT": str(urlsplit(url).port),
        "ORT_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }
    return Child.start(
        "judge",
        [sys.executable, "-m", "services.drift"],
        home=home,
        environment=environment,
        grace_seconds=_GRACE_SECONDS,
    )


def await_ready(child: Child, url: str) -> None:
    """Returns once it answers.

    Raises:
        NotStarted: it ended, or does not answer in time.
    """
    child.await_answer(f"{url}/ready", timeout_seconds=_READY_SECONDS)
