"""What the rollouts of a bench show together: shares with bounds, times, and the strengths that pass."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from pipelines.rehearsal.contract import Ending
from pipelines.rehearsal.simulate.bounds import lower, upper
from pipelines.rehearsal.simulate.defects import SOON, USUAL_RATE


@dataclass(frozen=True, kw_only=True)
class Played:
    """One rollout of the bench.

    Attributes:
        value: of the strength, for order.
        claimed: gates.yaml claims to stop it.
        seconds: from the candidate's first pod to the ending.
        rows_seconds: until the judge had its minimum of rows; infinite where it never had.
        share: of traffic that the candidate had reached when it ended.
    """

    kind: str
    value: float
    strength: str
    good: bool
    claimed: bool
    model: str
    strategy: str
    rate: float
    seed: int
    ending: Ending
    gate: str
    reason: str
    seconds: float
    rows_seconds: float
    share: float


# What a good version may be aborted with, at most.
GOOD_ABORTED = 0.01


def broken(rollouts: Sequence[Played]) -> list[str]:
    """What the gates are held to and do not keep; none where all is well."""
    found = [
        f"{each.model}: {each.kind} {each.strength} was promoted (seed {each.seed}), gates.yaml claims to stop it"
        for each in rollouts
        if each.claimed and each.ending is Ending.PROMOTED
    ]
    good = group(rollouts, good=True)
    aborted, n = good.count(Ending.ABORTED), len(good.rollouts)
    if lower(aborted, n) > GOOD_ABORTED:
        found.append(f"{aborted} of {n} good ones were aborted, at most {GOOD_ABORTED:.0%} may be")
    return found


@dataclass(frozen=True)
class Group:
    """Rollouts that belong together."""

    rollouts: tuple[Played, ...]

    def count(self, ending: Ending) -> int:
        """How many ended so."""
        return sum(each.ending is ending for each in self.rollouts)

    def share(self, ending: Ending) -> float:
        """Which share ended so; NaN of none."""
        return self.count(ending) / len(self.rollouts) if self.rollouts else math.nan

    def bounded(self, ending: Ending) -> str:
        """`3 of 500 (at most 1.5 %)`."""
        count, n = self.count(ending), len(self.rollouts)
        return f"{count} of {n} (at most {upper(count, n):.1%})"

    @property
    def abort_seconds(self) -> float:
        """Median time to abort; NaN where none was aborted."""
        times = [each.seconds for each in self.rollouts if each.ending is Ending.ABORTED]
        return median(times) if times else math.nan

    @property
    def claimed(self) -> int:
        """How many of them gates.yaml claims to stop; it is each model's own."""
        return sum(each.claimed for each in self.rollouts)

    @property
    def gates(self) -> str:
        """Which gates ended them, the most frequent first."""
        counts: dict[str, int] = {}
        for each in self.rollouts:
            if each.ending is not Ending.PROMOTED and each.gate:
                counts[each.gate] = counts.get(each.gate, 0) + 1
        return ", ".join(f"{gate} {n}" for gate, n in sorted(counts.items(), key=lambda item: -item[1]))


def group(rollouts: Iterable[Played], **wanted: object) -> Group:
    """Those whose fields have the wanted values."""
    return Group(tuple(each for each in rollouts if all(getattr(each, name) == v for name, v in wanted.items())))


def strengths(rollouts: Sequence[Played]) -> list[Group]:
    """One group for each kind and strength, bad ones first, weak to strong."""
    keys = sorted({(each.good, each.kind, each.value, each.strength) for each in rollouts})
    return [group(rollouts, kind=kind, value=value, strength=label) for _, kind, value, label in keys]


def not_always_seen(rollouts: Sequence[Played]) -> list[str]:
    """Bad strengths of which one was promoted, strongest of each kind: `errors 1.0% (1 of 3 promoted)`."""
    worst: dict[str, Group] = {}
    for each in strengths(rollouts):
        if not each.rollouts[0].good and each.count(Ending.PROMOTED):
            worst[each.rollouts[0].kind] = each
    return [
        f"{kind} {each.rollouts[0].strength} ({each.count(Ending.PROMOTED)} of {len(each.rollouts)} promoted)"
        for kind, each in worst.items()
    ]


def document(rollouts: Sequence[Played], *, seed: int, wall_seconds: float) -> dict[str, object]:
    """gates.json."""
    bad, good = group(rollouts, good=False), group(rollouts, good=True)
    claimed, loud = (
        group(rollouts, good=False, claimed=True),
        group(r for r in rollouts if r.good and r.kind != "quiet"),
    )
    soon = Group(tuple(each for each in claimed.rollouts if each.kind in SOON and each.rate == USUAL_RATE))
    late = [
        each.seconds - each.rows_seconds
        for each in claimed.rollouts
        if each.ending is Ending.ABORTED and each.gate in ("input-drift", "prediction-shift")
    ]
    return {
        "rollouts": len(rollouts),
        "seed": seed,
        "wall_seconds": round(wall_seconds, 1),
        "bad": len(bad.rollouts),
        "bad_promoted": claimed.count(Ending.PROMOTED),
        "bad_promoted_of": len(claimed.rollouts),
        "bad_promoted_upper": upper(claimed.count(Ending.PROMOTED), len(claimed.rollouts)),
        "bad_promoted_any_strength": bad.count(Ending.PROMOTED),
        "bad_paused": bad.count(Ending.PAUSED),
        "bad_aborted_after_switch": sum(
            each.ending is Ending.ABORTED and each.strategy == "blue-green" and each.share == 1 for each in bad.rollouts
        ),
        "good": len(good.rollouts),
        "good_aborted": good.count(Ending.ABORTED),
        "good_aborted_share": good.share(Ending.ABORTED),
        "good_aborted_upper": upper(good.count(Ending.ABORTED), len(good.rollouts)),
        "good_paused": good.count(Ending.PAUSED),
        "good_paused_beside_quiet": loud.count(Ending.PAUSED),
        "median_abort_seconds": _rounded(soon.abort_seconds),
        "median_abort_seconds_of": soon.count(Ending.ABORTED),
        "median_abort_seconds_canary": _rounded(group(soon.rollouts, strategy="canary").abort_seconds),
        "median_abort_seconds_all": _rounded(bad.abort_seconds),
        "median_seconds_after_enough_rows": _rounded(median(late)) if late else None,
        "median_promote_seconds": _rounded(_promote_seconds(loud)),
        "broken": broken(rollouts),
        "not_always_seen": not_always_seen(rollouts),
        "strengths": [_strength(each) for each in strengths(rollouts)],
    }


def _promote_seconds(of: Group) -> float:
    times = [each.seconds for each in of.rollouts if each.ending is Ending.PROMOTED]
    return median(times) if times else math.nan


def _strength(of: Group) -> dict[str, object]:
    first = of.rollouts[0]
    return {
        "kind": first.kind,
        "strength": first.strength,
        "good": first.good,
        "claimed": of.claimed,
        "claimed_promoted": group(of.rollouts, claimed=True).count(Ending.PROMOTED),
        "rollouts": len(of.rollouts),
        "promoted": of.count(Ending.PROMOTED),
        "aborted": of.count(Ending.ABORTED),
        "paused": of.count(Ending.PAUSED),
        "median_abort_seconds": _rounded(of.abort_seconds),
        "gates": of.gates,
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 1)
