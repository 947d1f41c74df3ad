"""One look: what was undecidable on enough rows stays so for the same pods until there are twice as many.

Argo asks an undecided gate again, up to `count` times, and one pass suffices: asked sixty times on nearly the same
rows, chance would answer in the end. So a pass has to wait until the rows have doubled; a fail counts at once, for it
leads back to what is known.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime

from models.verdict import Verdict
from services.drift.judgement import Judgement
from services.drift.requests import JudgeRequest

_MAX_KEPT = 1000


@dataclass(frozen=True)
class _Look:
    """A judgement that stands, and when it was made."""

    at: datetime
    judgement: Judgement


class Looks:
    """Remembers undecided looks, in this process alone. For one caller at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], _Look] = OrderedDict()

    def settled(self, request: JudgeRequest, judgement: Judgement, *, now: datetime) -> Judgement:
        """The judgement, or the former one of these pods where that still stands.

        It stands no longer than the window: then every row in it is a new one.
        """
        looked = bool(judgement.findings)  # below its least numbers a decision has looked at nothing
        key = (request.check, request.model, request.candidate_hash, request.stable_hash)
        former = self._kept.get(key)
        if former and _stands(former, request, judgement, now):
            warning = f"judged at {former.at:%H:%M:%S} UTC and still so: looked at again once there are twice the rows"
            return replace(former.judgement, warnings=(*former.judgement.warnings, warning))
        if looked and judgement.verdict is Verdict.INCONCLUSIVE:
            self._kept[key] = _Look(now, judgement)
            self._kept.move_to_end(key)
        elif looked:
            self._kept.pop(key, None)
        while len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return judgement


def _stands(former: _Look, request: JudgeRequest, latter: Judgement, now: datetime) -> bool:
    """Whether the latter look is no new one: few more rows of the candidate, and nothing found against it."""
    if not latter.findings or latter.verdict is Verdict.FAIL or now - former.at >= request.window:
        return False
    return latter.rows.get("candidate", 0) < 2 * former.judgement.rows.get("candidate", 0)
