"""Pairs of answers to the same rows: the candidate's, and what stable's own graph says to them. Used by `assess`."""

from dataclasses import dataclass

import numpy as np

from services.drift.answers import Answers, from_captured
from services.drift.captured import encoded, recoded, visible
from services.drift.predictions import Pairs
from services.drift.references import Reference
from services.drift.sample import Sample, first_of_each
from services.drift.windows import Window


@dataclass(frozen=True)
class Told:
    """A window as one bundle declares it: visible features and the captured answers, row by row.

    `left` is how many rows its own bundle refuses, so that nothing can be said of them.
    """

    sample: Sample
    answers: Answers
    masked: tuple[str, ...]
    window: Window
    kept: tuple[int, ...]

    @property
    def left(self) -> int:
        """Rows that were left out."""
        return len(self.window.rows) - len(self.kept)


def told(window: Window, reference: Reference) -> Told:
    """What the window holds, read by the bundle that answered it."""
    masked = window.header.masked if window.header else ()
    sample, kept = encoded(window.rows, visible(reference.features, masked))
    answers = from_captured(window.predictions, reference.bundle.manifest)
    return Told(sample, answers.at(kept), masked, window, tuple(kept.tolist()))


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
    numbers = np.array(candidate.kept, dtype=np.intp)[once]
    twin, kept = encoded([candidate.window.rows[number] for number in numbers], stable.features)
    return Pairs(candidate.answers.at(once[kept]), stable.answers(twin.matrix)), everything
