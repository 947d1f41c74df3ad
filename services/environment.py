"""Reads a service's configuration from its environment: every problem at once, one line each.

A line reads `environment: NAME: got value, rule, what to do`. Called by the `settings` of each service.
"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping

# The word that a release carries before its first promotion; it stands where a digest or address will.
UNRELEASED = "unreleased"


class Reader:
    """Reads values and collects in `problems` what is wrong with them."""

    def __init__(self, environment: Mapping[str, str], known: Collection[str]) -> None:
        self._environment = environment
        self._known = known
        self.problems: list[str] = []

    def matching(self, name: str, pattern: re.Pattern[str], rule: str, default: str | None = None) -> str:
        """The value of `name`, which must match; the default, where there is one, if nothing is stated."""
        value = self._environment.get(name, "")
        if not value:
            if default is not None:
                return default
            self.problems.append(f"environment: {name}: is not set, must be {rule}{self._meant(name)}")
        elif value == UNRELEASED:
            self.problems.append(
                f"environment: {name}: got {value!r}: nothing is released here; promote a version first"
            )
        elif not pattern.fullmatch(value):
            self.problems.append(f"environment: {name}: got {value!r}, must be {rule}")
        return value

    def number(self, name: str, default: float, low: float, high: float, kind: Callable[[str], float]) -> float:
        """The number that `name` states, or the default."""
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
        """The value of `name`, which must be one of `allowed`."""
        value = self._environment.get(name) or default
        if value not in allowed:
            near = difflib.get_close_matches(value.upper(), allowed, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            self.problems.append(f"environment: {name}: got {value!r}, must be one of {', '.join(allowed)}{meant}")
        return value

    def _meant(self, name: str) -> str:
        strangers = [key for key in self._environment if key.startswith("MAINLINE_") and key not in self._known]
        near = difflib.get_close_matches(name, strangers, 1, 0.8)
        return f"; {near[0]} is set: did you mean {name}?" if near else ""
