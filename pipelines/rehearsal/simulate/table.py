"""The bench as text: totals with upper bounds, then kind by kind and strength by strength."""

import math
from collections.abc import Mapping, Sequence

from pipelines.rehearsal.contract import Ending
from pipelines.rehearsal.simulate.figures import Group, Played, group, not_always_seen, strengths

_ROW = "{:<14} {:<17} {:>4} {:>5} {:>5} {:>6} {:>8}  {}"


def show(rollouts: Sequence[Played], told: Mapping[str, object]) -> str:
    """All of it, ready to print."""
    bad, good = group(rollouts, good=False), group(rollouts, good=True)
    claimed = group(rollouts, good=False, claimed=True)
    lines = [
        f"{len(rollouts)} rollouts (upper bounds: 95 %, Clopper-Pearson)",
        f"  bad, as strong as gates.yaml claims: promoted {claimed.bounded(Ending.PROMOTED)}",
        f"  bad, of any strength:                promoted {bad.bounded(Ending.PROMOTED)}, "
        f"paused {bad.count(Ending.PAUSED)}, aborted {bad.count(Ending.ABORTED)} "
        f"({told['bad_aborted_after_switch']} after a blue-green switch)",
        f"  good:                                aborted {good.bounded(Ending.ABORTED)}, "
        f"paused {good.count(Ending.PAUSED)} ({told['good_paused_beside_quiet']} beside quiet traffic), "
        f"promoted {good.count(Ending.PROMOTED)}",
        f"  median time to abort errors and latency at 20 requests/s: {_seconds(told['median_abort_seconds'])} "
        f"({told['median_abort_seconds_of']} rollouts; canaries {_seconds(told['median_abort_seconds_canary'])}), "
        f"of all that was aborted {_seconds(told['median_abort_seconds_all'])}",
        f"  drift and shifted answers: {_seconds(told['median_seconds_after_enough_rows'])} after the minimum of rows; "
        f"good ones take {_seconds(told['median_promote_seconds'])} to promote",
        "",
        _ROW.format("kind", "strength", "n", "prom.", "abort", "paused", "abort in", "ended by"),
    ]
    last = ""
    for each in strengths(rollouts):
        first = each.rollouts[0]
        lines.append(_line(each, first.kind if first.kind != last else ""))
        last = first.kind
    lines.append("* gates.yaml claims to stop it (+ of some models); times are from the candidate's first request,")
    lines.append("  where it never got one from its first pod")
    lines.append(f"not always seen: {'; '.join(not_always_seen(rollouts)) or 'nothing'}")
    return "\n".join(lines)


def _line(each: Group, kind: str) -> str:
    first = each.rollouts[0]
    mark = "*" if each.claimed == len(each.rollouts) else "+" if each.claimed else " "
    ended = [each.count(ending) for ending in (Ending.PROMOTED, Ending.ABORTED, Ending.PAUSED)]
    took = "" if math.isnan(each.abort_seconds) else _seconds(each.abort_seconds)
    return _ROW.format(kind, f"{mark}{first.strength}", len(each.rollouts), *ended, took, each.gates)


def _seconds(value: object) -> str:
    if not isinstance(value, int | float):
        return "-"
    return f"{value:.0f} s" if value < 600 else f"{value / 60:.0f} min"
