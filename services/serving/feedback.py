"""What became of answers, as callers tell it: written into the capture log, for the judge's check `quality`.

Parts lie at `<uri>/model=<m>/feedback/hour=<YYYY-MM-DDTHH>/<stamp>-<pod>-<random>.jsonl.gz` (UTC), with a header and a
line for each truth: services/drift/feedback.py, which reads them, has the format. An hour is that of the telling.

The pod that is told is seldom the one that answered, and truth may come weeks later: so a truth of whatever id is
taken. What is said of it is what this pod knows. The same truth again changes nothing. Another truth of the same row is
a correction, as in the log, where the last word on a row counts: to refuse it would depend on which pod was asked.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from socket import gethostname
from typing import Any

import numpy.typing as npt
import orjson

from models.manifest import Manifest
from models.predictor import Outputs, most_probable
from services.problems import Fault, Kind, Problem
from services.serving import part
from services.serving.live_quality import LiveQuality
from services.serving.metrics import FeedbackOutcome, Metrics
from services.serving.recall import Known, Recall, key_of
from services.serving.settings import Settings
from services.serving.spool import Spool, Write
from services.serving.truths import Truth

FORMAT = 1
# What may wait, counted as memory: some 20,000 truths.
MAX_WAITING_BYTES = 8 * 2**20
# Rows whose answers are remembered: 44 minutes of 100 a second; 5 MiB, taken at the start.
ANSWERS = 2**18
# Truths that are remembered: 1.3 MiB.
TRUTHS = 2**16
# Of an entry and of each of its truths, rather more than they take (tracemalloc; ids of 128 characters).
_ENTRY_BYTES, _TRUTH_BYTES = 500, 500


@dataclass(frozen=True)
class Told:
    """The truths of one request that are new.

    Attributes:
        n_bytes: about what they take in memory, rather more than less.
    """

    at: datetime
    truths: Sequence[tuple[str, int, float | str]]
    n_bytes: int
    n_requests: int = 1


class Feedback:
    """Remembers answers, takes truths, and has a thread write them."""

    def __init__(self, settings: Settings, metrics: Metrics, *, write: Write) -> None:
        self._settings = settings
        self._metrics = metrics
        self._write = write
        self._answers = Recall(ANSWERS)
        self._truths = Recall(TRUTHS)
        self._places: Mapping[str, float] = {}
        self._live = LiveQuality()
        self.spool: Spool[Told] = Spool(
            "feedback",
            max_bytes=MAX_WAITING_BYTES,
            flush_seconds=settings.capture_flush_seconds,
            write=self._write_part,
            lost=self._drop,
        )

    def start(self, manifest: Manifest) -> None:
        """Begins to write, and to tell the quality of this model's answers."""
        self._places = {name: float(place) for place, name in enumerate(manifest.classes)}
        self._metrics.watch_live_quality(self._live, classes=bool(manifest.classes))
        self.spool.start()

    def remember_rows(self, request_id: str, outputs: Outputs) -> None:
        """Keeps what was answered, as far as there is room: part of every answered request, and under a microsecond.

        Args:
            outputs: as `Predictor.predict` gives them.
        """
        self._answers.remember(request_id, self._values(outputs))

    def remember_each(self, request_ids: Sequence[str], outputs: Outputs) -> None:
        """As `remember_rows`, for requests of one row each that the graph answered together.

        Args:
            outputs: as `Predictor.predict` gives them, a row a request.
        """
        self._answers.remember_each(request_ids, self._values(outputs))

    def take(self, truths: Sequence[Truth]) -> list[FeedbackOutcome]:
        """Takes the truths of a request, all or none. Returns what is known of each.

        Raises:
            Problem: a row that the answer did not have, or no room: the store is slower than the callers.
        """
        answers = [self._answers.find(truth.request_id, truth.row or 0) for truth in truths]
        self._check_rows(truths)
        former = {(truth.request_id, truth.row or 0): self._former(truth) for truth in truths}
        outcomes: list[FeedbackOutcome] = []
        fresh: list[tuple[Truth, Known | None]] = []
        for truth, answer in zip(truths, answers, strict=True):
            key = (truth.request_id, truth.row or 0)
            outcomes.append(_outcome(truth, former[key], answer))
            former[key] = truth.value
            if outcomes[-1] is not FeedbackOutcome.REPEATED:
                fresh.append((truth, answer))
        if fresh:
            self._put([truth for truth, _ in fresh])
        for truth, answer in fresh:
            self._truths.put(truth.request_id, truth.row or 0, truth.value)
            if answer is not None:
                self._live.add(key_of(truth.request_id, truth.row or 0), self._loss(truth, answer))
        for outcome, n_truths in Counter(outcomes).items():
            self._metrics.feedback[outcome].inc(n_truths)
        return outcomes

    def _values(self, outputs: Outputs) -> npt.NDArray[Any]:
        return most_probable(outputs["probabilities"]) if self._places else outputs["prediction"]

    def _former(self, truth: Truth) -> float | None:
        known = self._truths.find(truth.request_id, truth.row or 0)
        return None if known is None else known.value

    def _loss(self, truth: Truth, answer: Known) -> float:
        return float(truth.value != answer.value) if self._places else abs(truth.value - answer.value)

    def _check_rows(self, truths: Sequence[Truth]) -> None:
        """Where the answer is remembered, a row that it did not have is refused, and so is one that is not named."""
        faults = []
        for index, truth in enumerate(truths):
            n_rows = answer.n_rows if (answer := self._answers.find(truth.request_id, 0)) is not None else 0
            if n_rows > 1 and truth.row is None:
                rule = f"the request had {n_rows} rows, and a truth is of one"
                faults.append(Fault("row", None, rule, f"name its place, from 0 to {n_rows - 1}", index))
            elif n_rows and truth.row is not None and truth.row >= n_rows:
                rule = f"the request had {n_rows} {'row' if n_rows == 1 else 'rows'}, counted from 0"
                faults.append(Fault("row", truth.row, rule, "send the row's place in the request", index))
        if faults:
            detail = f"{len(faults)} truths are of no row; the first: {faults[0].rule}."
            raise Problem(Kind.FEEDBACK_REFUSED, detail, faults[:100])

    def _put(self, truths: Sequence[Truth]) -> None:
        if not self.spool.put(_entry(truths)):
            rule = "waits for the store in bounded memory"
            fault = Fault("server", "no room", rule, "send it again in a few seconds")
            raise Problem(Kind.BUSY, "The log of feedback is behind; nothing was taken.", [fault], {"Retry-After": "5"})

    def _write_part(self, hour: str, entries: list[Told]) -> None:
        newest = max(told.at for told in entries)
        header = {"feedback": FORMAT, "model": self._settings.model, "pod": gethostname()}
        data = part.packed(header, (_lines(told) for told in entries), self.spool.breathe)
        self._write(part.place(self._settings, f"model={self._settings.model}/feedback", hour, newest), data)
        self._metrics.feedback_written.inc(_truths(entries))

    def _drop(self, entries: Sequence[Told]) -> None:
        self._metrics.feedback_dropped.inc(_truths(entries))


def _entry(truths: Sequence[Truth]) -> Told:
    lines = [(truth.request_id, truth.row or 0, truth.told) for truth in truths]
    return Told(datetime.now(UTC), lines, _ENTRY_BYTES + _TRUTH_BYTES * len(lines))


def _outcome(truth: Truth, former: float | None, answer: Known | None) -> FeedbackOutcome:
    if former is not None:
        return FeedbackOutcome.REPEATED if former == truth.value else FeedbackOutcome.CORRECTED
    return FeedbackOutcome.UNKNOWN if answer is None else FeedbackOutcome.KNOWN


def _lines(told: Told) -> bytes:
    at = told.at.isoformat()
    return b"".join(
        orjson.dumps({"time": at, "request_id": request_id, "row": row, "truth": truth}) + b"\n"
        for request_id, row, truth in told.truths
    )


def _truths(entries: Sequence[Told]) -> int:
    return sum(len(told.truths) for told in entries)
