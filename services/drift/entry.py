"""One judgement with what was asked, as it is answered to Argo, kept on the shelf and shown in the report."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from models.verdict import Verdict
from services.drift.judgement import Judgement
from services.drift.requests import JudgeRequest

Check = Literal["inputs", "predictions", "replay", "quality"]

_VERSION = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A judgement and its request.

    Attributes:
        at: when it was made.
        seconds: how long that took, waiting included.
    """

    check: Check
    model: str
    candidate_hash: str
    stable_hash: str
    window_seconds: float
    at: datetime
    seconds: float
    judgement: Judgement
    environment: str = ""

    @classmethod
    def of(cls, request: JudgeRequest, judgement: Judgement, *, seconds: float) -> "Entry":
        """The entry of a judgement just made."""
        return cls(
            check=request.check,
            model=request.model,
            candidate_hash=request.candidate_hash,
            stable_hash=request.stable_hash,
            window_seconds=request.window.total_seconds(),
            at=datetime.now(UTC),
            seconds=seconds,
            judgement=judgement,
            environment=request.environment,
        )

    @property
    def report(self) -> str:
        """Name of the report that shows it: model and version, so that a link can be written before there is one.

        The environment stands before them where the request names one. Where no capture log tells the version, or
        tells none, the pods' hash stands in its place.
        """
        party = self.judgement.candidate
        known = party is not None and _VERSION.fullmatch(party.version)
        name = f"{self.model}-{party.version if party is not None and known else self.candidate_hash}"
        return f"{self.environment}-{name}" if self.environment else name

    def answer(self) -> dict[str, object]:
        """What Argo is told; null where a number is not finite."""
        judgement = self.judgement
        times = {"begin": judgement.begin, "end": judgement.end}
        return {
            "verdict": judgement.verdict.value,
            "reason": judgement.reason,
            "warnings": list(judgement.warnings),
            "check": self.check,
            "model": self.model,
            "numbers": {name: _finite(value) for name, value in judgement.numbers.items()},
            "rows": dict(judgement.rows),
            "window": {
                "seconds": self.window_seconds,
                **{name: time.isoformat() if time else None for name, time in times.items()},
            },
        }

    def to_json(self) -> bytes:
        """As the shelf keeps it."""
        return json.dumps(_ADAPTER.dump_python(self, mode="json")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Entry":
        """What `to_json` wrote.

        Raises:
            ValueError: it did not write this.
        """
        return _ADAPTER.validate_python(json.loads(data))


_CAUSES: tuple[Check, ...] = get_args(Check)
_ADAPTER: TypeAdapter[Entry] = TypeAdapter(Entry)


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def in_order(entries: Mapping[str, Entry]) -> list[Entry]:
    """The entries that decide most first: fail, inconclusive, pass with a warning, pass; causes before effects."""
    return sorted(entries.values(), key=lambda entry: (_weight(entry.judgement), _CAUSES.index(entry.check)))


def _weight(judgement: Judgement) -> int:
    ranks = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2 if judgement.warnings else 3}
    return ranks[judgement.verdict]
