"""The same rows to preview and active, pair by pair: errors, latency and answers. A pure decision over the replies."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.manifest import Manifest
from models.verdict import Verdict
from services.drift.answers import Answers, from_captured
from services.drift.judgement import Judgement, undecided
from services.drift.predictions import Pairs, PredictionLimits, judge_predictions

METHOD = (
    "Each distinct row goes to both servers, at the same time of day and in turns first to one and to the other.",
    "An error counts where stable answers the same row; a row that fails twice fails, whatever the share.",
    "Latency: the slowest one in fifty, against stable's.",
    "Each connection is asked first which pods answer, and each answer tells its bundle; of a connection that broke "
    "and was opened again only the bundle is known.",
)
_FAILURES = 5  # so many rows that stable answers are no accident, however few pairs there are
_CRAWLING = 20  # so many answers, half of them slow, neither: a slow preview leaves few pairs in the judge's time
_SLOWEST = 0.98  # of 300 replies the seventh slowest: one request in twenty that is slow is seen, a single pause is not


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        status: of HTTP; 0 where the server was not reached.
        seconds: from sending to the last byte.
        digest: of the bundle that answered, empty where none did.
        prediction: None where there is none.
    """

    status: int
    seconds: float
    digest: str = ""
    prediction: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Exchange:
    """Both servers' replies to one row; `again`: the candidate failed it a second time."""

    row: int
    candidate: Reply
    stable: Reply
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class ReplayLimits:
    """From gates.yaml. `max_latency_ratio` counts above `latency_floor_seconds`."""

    min_pairs: int
    max_error_ratio: float
    max_latency_ratio: float
    latency_floor_seconds: float
    predictions: PredictionLimits


@dataclass(frozen=True)
class Expected:
    """What the bundles say: the candidate's manifest and digest, its own graph on the rows that were sent, stable's
    digest, and the announced pairs."""

    manifest: Manifest
    candidate_digest: str
    stable_digest: str
    own: Answers
    announced: Pairs


def judge_replay(exchanges: Sequence[Exchange], expected: Expected, limits: ReplayLimits) -> Judgement:
    """The judgement on the replies to distinct rows; `Exchange.row` is the row's index in `expected.own`."""
    ours = [each for each in exchanges if each.stable.status == 200]
    failed = [each for each in ours if each.candidate.status != 200]
    good = [each for each in ours if each.candidate.status == 200 and each.candidate.prediction is not None]
    rows = {"sent": len(exchanges), "stable": len(ours), "candidate": len(good), "candidate_failed": len(failed)}
    mixed = _mixed(exchanges, expected)
    if mixed:
        return undecided(mixed, rows=rows)
    slow = _crawls(good, limits)
    if slow:
        return Judgement(verdict=Verdict.FAIL, reason=slow, rows=rows, method=METHOD)
    if len(ours) < (_FAILURES if len(failed) >= _FAILURES else limits.min_pairs):
        reason = f"{len(ours)} rows were answered by both within the time, at least {limits.min_pairs} are needed"
        return undecided(reason, rows=rows)
    if all(each.candidate.status == 0 for each in ours):
        return undecided("the preview cannot be reached: see its service and network policy", rows=rows)
    numbers = _numbers(ours, good, failed)
    verdict, reason = _faults(numbers, failed, limits)
    if verdict is Verdict.FAIL:
        return Judgement(verdict=verdict, reason=reason, numbers=numbers, rows=rows, method=METHOD)
    pairs = Pairs(*(_answers(good, side, expected.manifest) for side in ("candidate", "stable")))
    own = Pairs(pairs.candidate, expected.own.at(np.array([each.row for each in good], dtype=np.intp)))
    judged = judge_predictions(pairs, expected.announced, limits.predictions, own=own)
    return replace(
        judged,
        numbers={**judged.numbers, **numbers},
        rows={**judged.rows, **rows},
        method=(*METHOD, *judged.method),
    )


def _mixed(exchanges: Sequence[Exchange], expected: Expected) -> str:
    """How many replies are of another bundle than the server's; empty where none is, as far as they tell."""
    digests = {"candidate": expected.candidate_digest, "stable": expected.stable_digest}
    for side, name in (("candidate", "preview"), ("stable", "active")):
        replies: list[Reply] = [getattr(each, side) for each in exchanges]
        others = sum(reply.digest not in ("", digests[side]) for reply in replies)
        if others:
            return f"{others} of {len(replies)} replies of the {name} are of another bundle: see its service's selector"
    return ""


def _crawls(good: Sequence[Exchange], limits: ReplayLimits) -> str:
    """How slow half of the answers are; empty where they are not, or are too few to say so."""
    if len(good) < _CRAWLING:
        return ""
    ours, former = (
        float(np.median([getattr(each, side).seconds for each in good])) for side in ("candidate", "stable")
    )
    if ours <= max(limits.latency_floor_seconds, limits.max_latency_ratio * former):
        return ""
    reason = f"half of the answers take {ours * 1000:.0f} ms and more, of stable {former * 1000:.0f} ms, "
    return f"{reason}at most {limits.max_latency_ratio:g} times that"


def _answers(exchanges: Sequence[Exchange], side: str, manifest: Manifest) -> Answers:
    return from_captured([getattr(each, side).prediction or {} for each in exchanges], manifest)


def _numbers(ours: Sequence[Exchange], good: Sequence[Exchange], failed: Sequence[Exchange]) -> dict[str, float]:
    numbers = {"error_ratio": len(failed) / len(ours)}
    for side in ("candidate", "stable"):
        seconds = [getattr(each, side).seconds for each in good]
        for name, share in (("median", 0.5), ("slowest", _SLOWEST)):
            numbers[f"{side}_{name}_seconds"] = float(np.quantile(seconds, share)) if seconds else math.nan
    return numbers


def _faults(numbers: Mapping[str, float], failed: Sequence[Exchange], limits: ReplayLimits) -> tuple[Verdict, str]:
    twice = [each for each in failed if each.again]
    if twice:
        seen = f"(the first: {twice[0].candidate.status})"
        return Verdict.FAIL, f"{len(twice)} rows that stable answers fail each time {seen}: not by chance"
    if numbers["error_ratio"] > limits.max_error_ratio:
        status = failed[0].candidate.status or "no answer"
        reason = f"{len(failed)} rows that stable answers are not answered by the preview (the first: {status}), "
        return Verdict.FAIL, f"{reason}{numbers['error_ratio']:.2%}, at most {limits.max_error_ratio:.2%}"
    slowest, former = numbers["candidate_slowest_seconds"], numbers["stable_slowest_seconds"]
    if slowest > max(limits.latency_floor_seconds, limits.max_latency_ratio * former):
        reason = f"the slowest one in fifty takes {slowest * 1000:.0f} ms, of stable {former * 1000:.0f} ms, "
        return Verdict.FAIL, f"{reason}at most {limits.max_latency_ratio:g} times that"
    return Verdict.PASS, ""
