"""The judge's configuration, read once from the environment. Called by `__main__`; tests build `Settings` directly."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import ConfigError
from services.environment import Reader

# Where one judge serves several environments, each has a folder of its own; a request names it.
ENVIRONMENT = "/{environment}"
_FOLDER = r"(file|s3|gs)://[^\s{}]+(/\{environment\})?"
_A_FOLDER = "a folder at file://, s3:// or gs://, /{environment} at most behind it"
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

# Services of the same cluster, by the names that templates give them.
CLUSTER = ("*.svc", "*.svc.cluster.local")


@dataclass(frozen=True)
class Settings:
    """One judge's configuration; `read` makes it from an environment.

    Attributes:
        capture_uri: folder of the capture log; `/{environment}` at its end stands for each one's.
        bundle_stores: a bundle is fetched only from below one of these URIs: a header of the capture log names it.
        replay_hosts: patterns of the hosts that a replay may call: whoever asks the judge names them.
        cache: folder that receives fetched bundles.
        reports: folder that keeps what was judged.
        max_reports: versions whose report is kept; the oldest go first.
        judge_seconds: longest time that one judgement may take; above it is inconclusive.
        wait_seconds: longest time that a request waits for the one before. Both together stay below Argo's 30 s.
        body_seconds: longest time that a client may take to send a request's body.
    """

    capture_uri: str
    bundle_stores: tuple[str, ...]
    cache: Path
    reports: Path
    replay_hosts: tuple[str, ...] = CLUSTER
    host: str = "0.0.0.0"  # noqa: S104  (a pod is reached at its own address)
    port: int = 8080
    log_level: str = "INFO"
    max_reports: int = 200
    judge_seconds: float = 20.0
    wait_seconds: float = 5.0
    body_seconds: float = 3.0


KNOWN = (
    "MAINLINE_CAPTURE_URI",
    "MAINLINE_BUNDLE_STORES",
    "MAINLINE_REPLAY_HOSTS",
    "MAINLINE_CACHE_DIR",
    "MAINLINE_REPORTS_DIR",
    "MAINLINE_HOST",
    "MAINLINE_PORT",
    "MAINLINE_LOG_LEVEL",
    "MAINLINE_MAX_REPORTS",
    "MAINLINE_JUDGE_SECONDS",
    "MAINLINE_WAIT_SECONDS",
    "MAINLINE_BODY_SECONDS",
)


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment states.

    Raises:
        ConfigError: with one line for each value that is missing, malformed or looks mistyped.
    """
    reader = Reader(environment, KNOWN)
    temporary = Path(tempfile.gettempdir())
    stores = reader.matching(
        "MAINLINE_BUNDLE_STORES",
        re.compile(r"\s*(file|s3|gs|https)://\S+(\s+(file|s3|gs|https)://\S+)*\s*"),
        "one or more folders at file://, s3://, gs:// or https://, with spaces between them",
    )
    hosts = reader.matching(
        "MAINLINE_REPLAY_HOSTS",
        re.compile(r"\s*[a-z0-9*.-]+(\s+[a-z0-9*.-]+)*\s*"),
        "one or more hosts in small letters, such as *.svc, with spaces between them",
        " ".join(CLUSTER),
    )
    settings = Settings(
        capture_uri=reader.matching(
            "MAINLINE_CAPTURE_URI",
            re.compile(_FOLDER),
            _A_FOLDER,
        ),
        bundle_stores=tuple(stores.split()),
        replay_hosts=tuple(hosts.split()),
        cache=Path(environment.get("MAINLINE_CACHE_DIR") or temporary / "mainline-drift"),
        reports=Path(environment.get("MAINLINE_REPORTS_DIR") or temporary / "mainline-drift-reports"),
        host=environment.get("MAINLINE_HOST") or Settings.host,
        port=int(reader.number("MAINLINE_PORT", 8080, 0, 65535, int)),
        log_level=reader.among("MAINLINE_LOG_LEVEL", _LEVELS, "INFO"),
        max_reports=int(reader.number("MAINLINE_MAX_REPORTS", 200, 1, 10_000, int)),
        judge_seconds=reader.number("MAINLINE_JUDGE_SECONDS", 20.0, 0.1, 600.0, float),
        wait_seconds=reader.number("MAINLINE_WAIT_SECONDS", 5.0, 0.0, 600.0, float),
        body_seconds=reader.number("MAINLINE_BODY_SECONDS", 3.0, 0.1, 600.0, float),
    )
    if reader.problems:
        raise ConfigError(reader.problems)
    return settings
