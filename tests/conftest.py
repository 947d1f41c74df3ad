"""What every test shares: telemetry is off, and a test reads no git settings and writes nothing to the home folder."""

import os
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / "build" / "cache"

os.environ.update(
    {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "ORT_DISABLE_TELEMETRY": "1",
        "DVC_NO_ANALYTICS": "1",
        "XDG_CACHE_HOME": str(CACHE),
        "MPLCONFIGDIR": str(CACHE / "matplotlib"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "Ada Tester",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada Tester",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
)
