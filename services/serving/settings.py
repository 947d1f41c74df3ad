"""The server's configuration, read once from the environment. Called by `__main__`; tests build `Settings` directly.

Every problem is reported at once, one line each, as `environment: NAME: got value, rule, what to do`.
"""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import ConfigError
from services.environment import Reader
from services.serving.beside import ROUTE, ByField, Pin, read_beside, read_route

_NAME = re.compile(r"[a-z][a-z0-9]*")
_VERSION = re.compile(r"[1-9][0-9]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_URI = re.compile(r"(file|s3|gs|https)://\S+")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Settings:
    """One server's configuration; `read` makes it from an environment.

    Attributes:
        model: name of the model, which must be the bundle's.
        version: version in the registry, a positive whole number as text.
        uri: folder of the bundle (file, s3, gs or https).
        digest: sha256 that the bundle must have.
        port: TCP port; 0 lets the system choose one (tests).
        cache: folder that receives the fetched bundle; the only place the server writes to.
        drain_seconds: longest time that requests are still accepted after SIGTERM.
        quiet_seconds: time without a request after which the callers are thought to have heard that the server drains.
        grace_seconds: longest time that requests in flight may then take.
        body_seconds: longest time that a client may take to send a request's body.
        request_seconds: longest time that the server may then take to answer; a request beyond it ends as failed.
        queue_rows: rows of all requests together that may wait for the model; what comes beyond is refused with 503.
        capture_uri: folder of the capture log; empty turns it off.
        capture_sample: share of answered requests that are captured, in [0, 1].
        capture_flush_seconds: time between two parts; what a node that dies takes with it.
        pod_template_hash: label of the ReplicaSet that this pod belongs to; partitions the capture log.
        beside: further models of the same server; everything else here is theirs too.
        route: which of the models answers which rows of /predict; None: the main one all.
    """

    model: str
    version: str
    uri: str
    digest: str
    cache: Path
    host: str = "0.0.0.0"  # noqa: S104  (a pod is reached at its own address)
    port: int = 8080
    log_level: str = "INFO"
    drain_seconds: float = 10.0
    quiet_seconds: float = 0.5
    grace_seconds: float = 20.0
    body_seconds: float = 10.0
    request_seconds: float = 5.0
    queue_rows: int = 16_384
    capture_uri: str = ""
    capture_sample: float = 1.0
    capture_flush_seconds: float = 10.0
    pod_template_hash: str = "local"
    beside: tuple[Pin, ...] = ()
    route: ByField | None = None

    @property
    def identity(self) -> dict[str, str]:
        """Who answers, as lines of the log have it."""
        return {"model": self.model, "model_version": self.version, "digest": self.digest}

    def of(self, pin: Pin) -> "Settings":
        """The settings of a model that stands beside the main one."""
        return replace(
            self, model=pin.model, version=pin.version, uri=pin.uri, digest=pin.digest, beside=(), route=None
        )


KNOWN = (
    "MAINLINE_MODEL",
    "MAINLINE_MODEL_VERSION",
    "MAINLINE_BUNDLE_URI",
    "MAINLINE_BUNDLE_DIGEST",
    "MAINLINE_CACHE_DIR",
    "MAINLINE_HOST",
    "MAINLINE_PORT",
    "MAINLINE_LOG_LEVEL",
    "MAINLINE_DRAIN_SECONDS",
    "MAINLINE_QUIET_SECONDS",
    "MAINLINE_GRACE_SECONDS",
    "MAINLINE_BODY_SECONDS",
    "MAINLINE_REQUEST_SECONDS",
    "MAINLINE_QUEUE_ROWS",
    "MAINLINE_CAPTURE_URI",
    "MAINLINE_CAPTURE_SAMPLE",
    "MAINLINE_CAPTURE_FLUSH_SECONDS",
    "MAINLINE_POD_TEMPLATE_HASH",
    ROUTE,
)


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment states.

    Raises:
        ConfigError: with one line for each value that is missing, malformed or looks mistyped.
    """
    reader = Reader(environment, KNOWN)
    settings = Settings(
        model=reader.matching("MAINLINE_MODEL", _NAME, "lower-case letters and digits, a letter first, such as iris"),
        version=reader.matching("MAINLINE_MODEL_VERSION", _VERSION, "the registry's version, such as 3"),
        uri=reader.matching("MAINLINE_BUNDLE_URI", _URI, "a folder at file://, s3://, gs:// or https://"),
        digest=reader.matching(
            "MAINLINE_BUNDLE_DIGEST", _DIGEST, "sha256: and 64 hexadecimal digits, from release.yaml"
        ),
        cache=Path(environment.get("MAINLINE_CACHE_DIR") or Path(tempfile.gettempdir()) / "mainline-serving"),
        host=environment.get("MAINLINE_HOST") or Settings.host,
        port=int(reader.number("MAINLINE_PORT", 8080, 0, 65535, int)),
        log_level=reader.among("MAINLINE_LOG_LEVEL", _LEVELS, "INFO"),
        drain_seconds=reader.number("MAINLINE_DRAIN_SECONDS", 10.0, 0.0, 600.0, float),
        quiet_seconds=reader.number("MAINLINE_QUIET_SECONDS", 0.5, 0.1, 60.0, float),
        grace_seconds=reader.number("MAINLINE_GRACE_SECONDS", 20.0, 1.0, 3600.0, float),
        body_seconds=reader.number("MAINLINE_BODY_SECONDS", 10.0, 0.1, 3600.0, float),
        request_seconds=reader.number("MAINLINE_REQUEST_SECONDS", 5.0, 0.1, 3600.0, float),
        queue_rows=int(reader.number("MAINLINE_QUEUE_ROWS", 16_384, 1, 10_000_000, int)),
        capture_uri=reader.matching("MAINLINE_CAPTURE_URI", _URI, "a folder at file://, s3:// or gs://", default=""),
        capture_sample=reader.number("MAINLINE_CAPTURE_SAMPLE", 1.0, 0.0, 1.0, float),
        capture_flush_seconds=reader.number("MAINLINE_CAPTURE_FLUSH_SECONDS", 10.0, 0.1, 3600.0, float),
        pod_template_hash=reader.matching(
            "MAINLINE_POD_TEMPLATE_HASH",
            re.compile(r"[a-z0-9]+"),
            "the label rollouts-pod-template-hash",
            default="local",
        ),
    )
    beside = read_beside(environment, settings.model, reader.problems)
    route = read_route(environment, [settings.model, *(pin.model for pin in beside)], reader.problems)
    if reader.problems:
        raise ConfigError(reader.problems)
    return replace(settings, beside=beside, route=route)
