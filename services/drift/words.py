"""The report's words and numbers: verdicts, states, times, and what a person does next."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.verdict import Verdict
from services.drift.entry import Entry
from services.drift.judgement import State


@dataclass(frozen=True)
class Word:
    """How a verdict reads: in the heading, and as a sign with its word, so that nobody depends on its colour."""

    headline: str
    sign: str


VERDICTS: Mapping[Verdict, Word] = {
    Verdict.FAIL: Word("{name} is turned back", "✕ fail"),
    Verdict.INCONCLUSIVE: Word("{name} could not be judged", "? inconclusive"),
    Verdict.PASS: Word("Nothing stands against {name}", "✓ pass"),
}
STATES: Mapping[State, str] = {
    State.STEADY: "✓ as expected",
    State.WORLD: "! moved for all",
    State.OWN: "✕ its own",
    State.APART: "✕ sent other rows",
    State.UNKNOWN: "? not compared",
}
CHECKS = {
    "inputs": "Is it sent what it was trained for?",
    "predictions": "Does it answer as announced?",
    "replay": "Does the preview answer as announced?",
    "quality": "Is it as right as stable, where the truth is known?",
}
# What the grey and the outlined bars are, by check; rows that stand apart are compared with stable's.
LEGENDS = {
    "inputs": ("reference: rows it was trained on", "current: rows sent to it"),
    "predictions": ("announced on held-out rows", "live"),
    "replay": ("announced on held-out rows", "preview against active"),
    "quality": ("stable's errors on the same rows", "the candidate's errors"),
}
APART = ("rows sent to stable", "rows sent to the candidate")

_ALWAYS = {
    Verdict.FAIL: "The rollout goes back to the stable version by itself. Merge nothing over it: train or fix, and "
    "propose a new version.",
    Verdict.INCONCLUSIVE: "The gate asks again at its interval. If the rollout pauses, promote it by hand where this "
    "reason does not worry you (kubectl argo rollouts promote), else abort it.",
    Verdict.PASS: "Nothing: the rollout goes on by itself.",
}


def todo(entries: Sequence[Entry]) -> list[str]:
    """What a person does about a version, the most special first; `entries` have the most decisive first."""
    verdict = entries[0].judgement.verdict
    deciding = [entry.judgement for entry in entries if entry.judgement.verdict is verdict]
    steps = list(dict.fromkeys(found.remedy for judged in deciding for found in judged.findings if found.remedy))[:4]
    if verdict is Verdict.PASS and not steps and any(judged.warnings for judged in deciding):
        steps = ["Read the warnings below; the rollout goes on."]
    return steps if verdict is Verdict.PASS and steps else [*steps, _ALWAYS[verdict]]


def clock(time: datetime) -> str:
    """A time of day in UTC with its date."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def window(begin: datetime | None, end: datetime | None) -> str:
    """The time between the first and the last row."""
    if begin is None or end is None:
        return "no rows"
    last = f"{end:%H:%M:%S}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    return f"{begin:%Y-%m-%d %H:%M:%S} to {last} UTC"


def length(seconds: float) -> str:
    """A duration as a person reads it."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")


def number(value: float) -> str:
    """Three significant digits; a word where there is no number."""
    if not math.isfinite(value):
        return "none"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.3g}"
    return f"{value:.1e}"


def chance(p_value: float) -> str:
    """A p-value, of which a person wants the order of magnitude."""
    return "< 1e-12" if p_value < 1e-12 else number(p_value)
