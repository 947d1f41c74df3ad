"""Pairs of answers to the same rows: the candidate's, and what stable's own graph says to them. Used by `assess`."""

from dataclasses import dataclass
from functools import cached_property

from models.manifest import Manifest
from services.drift.answers import Answers, from_captured
from services.drift.captured import Indexes, encoded, recoded, visible
from services.drift.pairs import Pairs
from services.drift.references import Reference
from services.drift.sample import Sample, first_of_each
from services.drift.windows import Window


@dataclass(frozen=True)
class Told:
    """A window as one bundle declares it: its visible features, row by row; `kept` are the rows that it accepts."""

    sample: Sample
    kept: Indexes
    masked: tuple[str, ...]
    window: Window
    manifest: Manifest

    @cached_property
    def answers(self) -> Answers:
        """The captured answers to the kept rows."""
        return from_captured([self.window.predictions[number] for number in self.kept], self.manifest)

    @property
    def left(self) -> int:
        """Rows that were left out."""
        return len(self.window.rows) - len(self.kept)


def told(window: Window, reference: Reference) -> Told:
    """What the window holds, read by the bundle that answered it."""
    masked = window.header.masked if window.header else ()
    sample, kept = encoded(window.rows, visible(reference.features, masked))
    return Told(sample, kept, masked, window, reference.bundle.manifest)


def announced(candidate: Reference, stable: Reference) -> Pairs | None:
    """Both graphs on the candidate's held-out rows; None where stable needs what they do not have.

    The candidate's answers are those of its bundle, given when it was made.
    """
    if not comparable(candidate, stable):
        return None
    rows, answers = candidate.held_out
    sample, kept = recoded(rows, stable.features)
    return Pairs(answers.at(kept), stable.answers(sample.matrix))


def comparable(candidate: Reference, stable: Reference) -> bool:
    """Whether stable's graph can answer the candidate's rows, with the same outputs."""
    have = {feature.name for feature in candidate.features}
    same = candidate.bundle.manifest.classes == stable.bundle.manifest.classes
    return same and all(feature.name in have for feature in stable.features)


def live(candidate: Told, own: Reference, stable: Reference) -> tuple[Pairs, Pairs]:
    """Distinct rows: candidate and stable's graph. All rows: candidate and its own graph."""
    everything = Pairs(candidate.answers, own.answers(candidate.sample.matrix))
    once = first_of_each(candidate.sample.matrix)
    twin, kept = encoded([candidate.window.rows[number] for number in candidate.kept[once]], stable.features)
    return Pairs(candidate.answers.at(once[kept]), stable.answers(twin.matrix)), everything
