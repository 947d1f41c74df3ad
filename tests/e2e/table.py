"""The scenarios of a suite as a table, with the seconds of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Scenario:
    """One, and how it ended: passed, failed or skipped."""

    name: str
    outcome: str
    seconds: float
    reason: str


def table(scenarios: Sequence[Scenario], *, at: float) -> str:
    """A line each, and the sum."""
    width = max(len(each.name) for each in scenarios)
    lines = [f"{each.name:<{width}}  {each.outcome:<7} {each.seconds:7.1f} s{_why(each)}" for each in scenarios]
    passed = sum(each.outcome == "passed" for each in scenarios)
    seconds = sum(each.seconds for each in scenarios)
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return "\n".join([*lines, f"{passed} of {len(scenarios)} passed in {seconds / 60:.1f} minutes, {when}"])


def _why(scenario: Scenario) -> str:
    return f"  {scenario.reason.splitlines()[0][:140]}" if scenario.reason else ""
