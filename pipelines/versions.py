"""What `versions.env` accepts and pins, and whether a version that a tool tells suits it. Standard library only."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from models.errors import ConfigError, MainlineError

# Of each tool: accepted on PATH from MIN up to, not including, BELOW; built or fetched at VERSION from MODULE.
_NEEDED = ("MIN", "BELOW", "VERSION", "MODULE", "MODULE_VERSION")
TOOLS = ("KUSTOMIZE", "PROMETHEUS")


class ToolMissing(MainlineError):  # noqa: N818  (states what is so)
    """A tool is not here and could not be had."""


class ToolTampered(MainlineError):  # noqa: N818  (states what is so)
    """What was downloaded is not what versions.env names; never followed by another way of getting it."""

    exit_code = 3


def read_versions(root: Path) -> dict[str, str]:
    """The pins of `versions.env` as a mapping.

    Raises:
        ConfigError: a line that is neither comment nor KEY=value, or a key that a tool needs is missing.
    """
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate((root / "versions.env").read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if equals and re.fullmatch(r"[A-Za-z0-9_]+", key):
            found[key] = value
        else:
            problems.append(f"versions.env: line {number}: got {line!r}, must be KEY=value")
    needed = [f"{tool}_{key}" for tool in TOOLS for key in _NEEDED]
    problems += [f"versions.env: {key}: missing" for key in needed if key not in found]
    if problems:
        raise ConfigError(problems)
    return found


def suits(version: str | None, versions: Mapping[str, str], tool: str = "KUSTOMIZE") -> bool:
    """Whether a version such as `v5.8.1` lies in [<TOOL>_MIN, <TOOL>_BELOW); an unknown one does not."""
    found = _numbers(version or "")
    if found is None:
        return False
    low, high = _numbers(versions[f"{tool}_MIN"]), _numbers(versions[f"{tool}_BELOW"])
    return low is not None and high is not None and low <= found < high


def _numbers(version: str) -> tuple[int, ...] | None:
    # Debian appends +ds to what it packages
    match = re.fullmatch(r"(?:kustomize/)?v?(\d+)\.(\d+)\.(\d+)(?:\+[a-z0-9]+)?", version.strip())
    return tuple(int(part) for part in match.groups()) if match else None


def output(command: list[str]) -> str | None:
    """What a command prints, stripped; None when it fails, hangs for 20 s or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
