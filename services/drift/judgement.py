"""What the judge says: a verdict with its reason, the numbers behind it, and one finding for each feature or output.

The decisions (`inputs`, `predictions`, `replay`) make it, `assess` adds who was judged, routes and report show it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.verdict import Verdict


class State(StrEnum):
    """What a finding means. `OWN` and `APART` fail the candidate; `WORLD` asks for retraining."""

    STEADY = "steady"  # as in the reference, or as announced
    WORLD = "world"  # moved, and not only for the candidate
    OWN = "own"  # the candidate's own drift, or answers beyond what was announced
    APART = "apart"  # candidate and stable were sent different rows at the same time
    UNKNOWN = "unknown"  # could not be compared; `text` says why


@dataclass(frozen=True)
class Histogram:
    """Two histograms over the same bars: shares in [0, 1] of the expected and of the observed values.

    `bars` are labels: a category, or the lower edge of an interval of numbers.
    """

    bars: tuple[str, ...]
    expected: tuple[float, ...]
    observed: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One feature or output.

    Attributes:
        name: of the feature or output.
        unit: of its values, empty where it has none.
        method: Evidently's name of the distance.
        distance: how far observed is from expected; NaN where it could not be told.
        limit: above it the distance counts.
        p_value: probability of such a difference, or a larger one, by chance; NaN where it could not be told.
        level: below it the p-value counts: alpha shared out over all tests of the look.
        text: a sentence for a person: what moved, how far.
        remedy: what to do, empty where nothing is to be done.
        histogram: None where there is nothing to draw.
    """

    name: str
    unit: str = ""
    state: State
    method: str
    distance: float
    limit: float
    p_value: float
    level: float
    text: str
    remedy: str = ""
    histogram: Histogram | None = None


@dataclass(frozen=True)
class Party:
    """A served version, as the headers of its capture log name it."""

    model: str
    version: str
    digest: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The judge's answer.

    Attributes:
        verdict: inconclusive is never a pass.
        reason: one line for a person in the Argo UI.
        warnings: what does not decide but should be known, such as drift that stable sees too.
        numbers: figures by name; not all finite.
        rows: counts by name (`candidate`, `candidate_distinct`, `stable`, ...).
        findings: worst first.
        method: how it was judged, one sentence each.
        begin, end: times of the first and last row of the candidate's window; None where there is none.
        candidate, stable: None where their capture log has no part.
    """

    verdict: Verdict
    reason: str
    warnings: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    method: tuple[str, ...] = ()
    begin: datetime | None = None
    end: datetime | None = None
    candidate: Party | None = None
    stable: Party | None = None


def undecided(reason: str, *, rows: Mapping[str, int] | None = None, warnings: tuple[str, ...] = ()) -> Judgement:
    """An inconclusive judgement."""
    return Judgement(verdict=Verdict.INCONCLUSIVE, reason=reason, rows=rows or {}, warnings=warnings)
