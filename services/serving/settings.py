"""The server's configuration, read once from the environment. Called by `__main__`; tests build `Settings` directly.

Every problem is reported at once, one line each, as `environment: NAME: got value, rule, what to do`.
"""

import difflib
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from models.errors import ConfigError

T = TypeVar("T")

_NAME = re.compile(r"[a-z][a-z0-9]*")
_VERSION = re.compile(r"[1-9][0-9]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_URI = re.compile(r"(file|s3|gs|https)://\S+")
# The word that a release carries before its first promotion; it stands where a digest or address will.
_UNRELEASED = "unreleased"
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
        grace_seconds: longest time that requests in flight may then take.
        body_seconds: longest time that a client may take to send a request's body.
        capture_uri: folder of the capture log; empty turns it off.
        capture_sample: share of answered requests that are captured, in [0, 1].
        capture_flush_seconds: time between two parts; what a node that dies takes with it.
        pod_template_hash: label of the ReplicaSet that this pod belongs to; partitions the capture log.
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
    grace_seconds: float = 20.0
    body_seconds: float = 10.0
    capture_uri: str = ""
    capture_sample: float = 1.0
    capture_flush_seconds: float = 10.0
    pod_template_hash: str = "local"


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
    "MAINLINE_GRACE_SECONDS",
    "MAINLINE_BODY_SECONDS",
    "MAINLINE_CAPTURE_URI",
    "MAINLINE_CAPTURE_SAMPLE",
    "MAINLINE_CAPTURE_FLUSH_SECONDS",
    "MAINLINE_POD_TEMPLATE_HASH",
)


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment states.

    Raises:
        ConfigError: with one line for each value that is missing, malformed or looks mistyped.
    """
    reader = _Reader(environment)
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
        grace_seconds=reader.number("MAINLINE_GRACE_SECONDS", 20.0, 1.0, 3600.0, float),
        body_seconds=reader.number("MAINLINE_BODY_SECONDS", 10.0, 0.1, 3600.0, float),
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
    if reader.problems:
        raise ConfigError(reader.problems)
    return settings


class _Reader:
    """Reads values and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def matching(self, name: str, pattern: re.Pattern[str], rule: str, default: str | None = None) -> str:
        value = self._environment.get(name, "")
        if not value:
            if default is not None:
                return default
            self.problems.append(f"environment: {name}: is not set, must be {rule}{self._meant(name)}")
        elif value == _UNRELEASED:
            self.problems.append(
                f"environment: {name}: got {value!r}: nothing is released here; promote a version first"
            )
        elif not pattern.fullmatch(value):
            self.problems.append(f"environment: {name}: got {value!r}, must be {rule}")
        return value

    def number(self, name: str, default: float, low: float, high: float, kind: Callable[[str], float]) -> float:
        text = self._environment.get(name, "")
        if not text:
            return default
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")  # compares false below, and is reported there with the text itself
        if not low <= value <= high:
            noun = "whole number" if kind is int else "number"
            self.problems.append(f"environment: {name}: got {text!r}, must be a {noun} from {low:g} to {high:g}")
            return default
        return value

    def among(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self._environment.get(name) or default
        if value not in allowed:
            near = difflib.get_close_matches(value.upper(), allowed, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            self.problems.append(f"environment: {name}: got {value!r}, must be one of {', '.join(allowed)}{meant}")
        return value

    def _meant(self, name: str) -> str:
        strangers = [key for key in self._environment if key.startswith("MAINLINE_") and key not in KNOWN]
        near = difflib.get_close_matches(name, strangers, 1, 0.8)
        return f"; {near[0]} is set: did you mean {name}?" if near else ""
