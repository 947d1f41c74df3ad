"""What `versions.env` accepts and pins, and which kustomize of PATH it accepts. Standard library only."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from models.errors import ConfigError, MainlineError


class ToolMissing(MainlineError):  # noqa: N818  (states what is so)
    """A tool is not here and could not be had."""


class ToolTampered(MainlineError):  # noqa: N818  (states what is so)
    """What was downloaded is not what versions.env names; never followed by another way of getting it."""

    exit_code = 3


def read_versions(root: Path) -> dict[str, str]:
    """The pins of `versions.env` as a mapping.

    Raises:
        ConfigError: a line that is neither comment nor KEY=value, or a key that kustomize needs is missing.
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
    needed = ("KUSTOMIZE_MIN", "KUSTOMIZE_BELOW", "KUSTOMIZE_VERSION", "KUSTOMIZE_MODULE", "KUSTOMIZE_URL")
    problems += [f"versions.env: {key}: missing" for key in needed if key not in found]
    if problems:
        raise ConfigError(problems)
    return found


def suits(version: str | None, versions: Mapping[str, str]) -> bool:
    """Whether a version such as `v5.8.1` lies in [KUSTOMIZE_MIN, KUSTOMIZE_BELOW); an unknown one does not."""
    found = _numbers(version or "")
    if found is None:
        return False
    low, high = _numbers(versions["KUSTOMIZE_MIN"]), _numbers(versions["KUSTOMIZE_BELOW"])
    return low is not None and high is not None and low <= found < high


def kustomize_on_path(versions: Mapping[str, str]) -> tuple[list[str], str] | None:
    """The kustomize of PATH that suits, as (command, version); None where there is none."""
    own = shutil.which("kustomize")
    if own and suits(version := output([own, "version"]), versions):
        return [own], str(version)
    kubectl = shutil.which("kubectl")
    if kubectl:
        answer = output([kubectl, "version", "--client", "-o", "json"])
        try:
            version = str(json.loads(answer or "{}").get("kustomizeVersion"))
        except json.JSONDecodeError:
            version = ""
        if suits(version, versions):
            # Answers `version` for as long as that kubectl is there.
            path = shlex.quote(kubectl)
            wrapper = (
                f'case "$1" in build) shift; exec {path} kustomize "$@";; version) test -x {path} && echo {version};; '
                '*) echo "kubectl kustomize only builds" >&2; exit 2;; esac'
            )
            return ["/bin/sh", "-c", wrapper, "kustomize"], version
    return None


def _numbers(version: str) -> tuple[int, ...] | None:
    match = re.fullmatch(r"(?:kustomize/)?v?(\d+)\.(\d+)\.(\d+)", version.strip())
    return tuple(int(part) for part in match.groups()) if match else None


def output(command: list[str]) -> str | None:
    """What a command prints, stripped; None when it fails, hangs for 20 s or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
