"""Values as Rollouts takes them: Go durations, numbers that may be text, and `{{args.x}}` placeholders."""

import re
from collections.abc import Mapping

from pipelines.lint.node import Node

PLACEHOLDER = re.compile(r"\{\{\s*args\.([A-Za-z0-9_.-]+?)\s*\}\}")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(text: str) -> float | None:
    """A Go duration such as `1m30s` in seconds; None for what is none. A bare number is none to Go, but for 0."""
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def pause_seconds(node: Node) -> float | None:
    """How long a `pause` step lasts, where a bare number is seconds; None where only a person ends it.

    A duration that cannot be read counts as 0.
    """
    if not node:
        return None
    text = node.text
    if re.fullmatch(r"\d+", text):
        return float(text)
    return seconds(text) or 0.0


def whole(text: str) -> int | None:
    """The integer that a text holds; None for anything else."""
    return int(text) if re.fullmatch(r"-?\d{1,9}", text.strip()) else None


def substitute(text: str, known: Mapping[str, str]) -> str:
    """The text with every argument whose value is known put in; the others keep their placeholder."""
    return PLACEHOLDER.sub(lambda match: known.get(match.group(1), match.group(0)), text)
