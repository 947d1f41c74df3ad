"""Durations as Argo Rollouts reads them: Go's (`1m30s`, `500ms`), and in a pause also plain seconds."""

import re

from models.errors import ConfigError

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(text: object, where: str) -> float:
    """A Go duration in seconds.

    Raises:
        ConfigError: it is none; Go knows no days, and no number without a unit except 0.
    """
    if isinstance(text, str):
        bare = text.removeprefix("+")
        if bare == "0":
            return 0.0
        parts = _PART.findall(bare)
        if parts and "".join(number + unit for number, unit in parts) == bare:
            return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    raise ConfigError([f"{where}: got {text!r}, must be a duration such as 30s, 5m or 1m30s"])


def pause_seconds(value: object, where: str) -> float:
    """A pause's `duration`: whole seconds, bare or in quotes, or a Go duration."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"\d+", value):
        return float(value)
    return seconds(value, where)
