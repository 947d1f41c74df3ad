"""The offline gates: from measured evidence and declared limits to a verdict. Pure; evaluate and register both call it.

Three verdicts. A value that is missing or NaN is inconclusive, and inconclusive is not a pass: a person is asked, by
the name of the gate.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from models.gates_spec import Champion, Limit, OfflineGates
from models.verdict import Verdict
from pipelines.metrics import LOWER_IS_BETTER, Interval

# 1.96 standard deviations of the mean of `n` coin flips: coverage off by less is what so many rows cannot tell apart.
_NOISE_DEVIATIONS = 1.96


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The candidate beside the champion on the same held-out rows.

    `difference` is candidate - champion in units of the gates' metric; None where the champion could not be measured,
    and then `problem` says why.
    """

    version: str
    digest: str
    difference: Interval | None
    identical: bool
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The largest gap of the metric between two values of one feature, among those with enough rows to be judged."""

    gap: Interval
    worst: str
    best: str
    judged: int


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the offline gates judge by.

    `bundle_bytes` is the size of the whole bundle; `max_abs` and `label_mismatch` are the graph's distance from the
    estimator; `coverage` is the share that a regression's interval declares, None where it has none.
    """

    task: str
    metrics: Mapping[str, Interval]
    n_held_out: int
    bundle_bytes: float
    max_abs: float
    label_mismatch: float
    champion: Comparison | None
    coverage: float | None = None
    slices: Mapping[str, Gap] = field(default_factory=dict)


@dataclass(frozen=True)
class GateResult:
    """One gate's answer: the value it saw, the rule it applied and what follows, in words."""

    gate: str
    verdict: Verdict
    value: float
    rule: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """The verdicts of all gates, and what they say together."""

    verdict: Verdict
    results: tuple[GateResult, ...]

    def reason(self) -> str:
        """The gates that did not pass, on one line; empty where all did."""
        shut = [each for each in self.results if each.verdict is self.verdict and each.verdict is not Verdict.PASS]
        return "; ".join(f"gate {each.gate} {each.verdict}: {each.reason}" for each in shut)


def decide(evidence: Evidence, gates: OfflineGates) -> Decision:
    """Every gate's verdict; together: fail if any fails, else inconclusive if any is, else pass."""
    results = tuple(_results(evidence, gates))
    return Decision(overall([result.verdict for result in results]), results)


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of many; none at all is inconclusive, since nothing was judged."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if not verdicts or Verdict.INCONCLUSIVE in verdicts else Verdict.PASS


def _results(evidence: Evidence, gates: OfflineGates) -> Iterator[GateResult]:
    for name, limit in gates.limits.items():
        yield _limit(name, limit, evidence.metrics.get(name))
    yield _champion(gates.metric, gates.champion, evidence.champion, evidence.n_held_out)
    yield _calibration(evidence, gates.calibration.max_error)
    if gates.slice_gap is not None:
        if not evidence.slices:
            yield _unknown("slice_gap", f"gap at most {gates.slice_gap.max:g}", "no slice was measured")
        for feature, gap in evidence.slices.items():
            yield _slice_gap(gates.metric, feature, gap, gates.slice_gap.max)
    yield _ceiling("bundle", "bytes", evidence.bundle_bytes, gates.bundle.max_bytes)
    yield _ceiling("parity", "largest distance from the estimator", evidence.max_abs, gates.parity.max_abs)
    if evidence.task == "classification":
        share, most = evidence.label_mismatch, gates.parity.max_label_mismatch
        yield _ceiling("parity_labels", "share of rows with another label than the estimator's", share, most)


def _limit(name: str, limit: Limit, measured: Interval | None) -> GateResult:
    bounds = [f"at least {limit.min:g}"] if limit.min is not None else []
    bounds += [f"at most {limit.max:g}"] if limit.max is not None else []
    gate, rule = f"limits.{name}", f"{name} {' and '.join(bounds)}"
    if measured is None or not math.isfinite(measured.value):
        return _unknown(gate, rule, f"{name} was not measured")
    low_enough = limit.max is None or measured.value <= limit.max
    high_enough = limit.min is None or measured.value >= limit.min
    verdict = Verdict.PASS if low_enough and high_enough else Verdict.FAIL
    return GateResult(
        gate, verdict, measured.value, rule, f"{name} is {measured.value:.4g}, must be {' and '.join(bounds)}"
    )


def _champion(metric: str, gate: Champion, compared: Comparison | None, n_rows: int) -> GateResult:
    rule = f"{metric} not worse than the champion's by more than {gate.margin:g} {gate.unit}"
    if compared is None:
        return GateResult(
            "champion", Verdict.PASS, math.nan, rule, "no champion: nothing is in production to compare with"
        )
    if compared.identical:
        reason = f"identical to the champion: predicts what version {compared.version} does on all {n_rows} rows"
        return GateResult("champion", Verdict.FAIL, 0.0, rule, reason)
    difference = compared.difference
    if difference is None or not all(map(math.isfinite, (difference.value, difference.low, difference.high))):
        return _unknown("champion", rule, compared.problem or f"the difference in {metric} has no value")
    loss = difference
    if metric not in LOWER_IS_BETTER:
        loss = Interval(-difference.value, -difference.high, -difference.low)
    seen = f"worse by {loss.value:.4g} [{loss.low:.4g}, {loss.high:.4g}] than version {compared.version}"
    if loss.high <= gate.margin:
        return GateResult("champion", Verdict.PASS, difference.value, rule, f"{seen}: within {gate.margin:g}")
    if loss.low > gate.margin:
        return GateResult("champion", Verdict.FAIL, difference.value, rule, f"{seen}: beyond {gate.margin:g}")
    needed = rows_to_decide(loss, gate.margin, n_rows)
    ask = (
        f"about {needed} held-out rows would decide it"
        if needed
        else "it lies on the margin, no number of rows decides it"
    )
    return GateResult(
        "champion", Verdict.INCONCLUSIVE, difference.value, rule, f"{seen}: {n_rows} rows leave it open; {ask}"
    )


def rows_to_decide(loss: Interval, margin: float, n_rows: int) -> int | None:
    """How many held-out rows would bring the margin outside the interval, whose width shrinks with the root of them.

    None where the value lies so close to the margin that the answer would be above a thousand times the rows.
    """
    distance = abs(margin - loss.value)
    reach = loss.high - loss.value if loss.value <= margin else loss.value - loss.low
    if distance * math.sqrt(1000) < reach:
        return None
    return max(n_rows + 1, math.ceil(n_rows * (reach / distance) ** 2))


def _calibration(evidence: Evidence, most: float) -> GateResult:
    if evidence.task == "classification":
        measured = evidence.metrics.get("ece")
        return _ceiling("calibration", "expected calibration error", measured.value if measured else math.nan, most)
    measured, declared = evidence.metrics.get("coverage"), evidence.coverage
    rule = f"coverage within {most:g} of the declared share, beyond the noise of {evidence.n_held_out} rows"
    if measured is None or declared is None or not math.isfinite(measured.value) or evidence.n_held_out == 0:
        return _unknown("calibration", rule, "the coverage of the interval was not measured")
    noise = _NOISE_DEVIATIONS * math.sqrt(declared * (1 - declared) / evidence.n_held_out)
    verdict = Verdict.PASS if abs(measured.value - declared) <= most + noise else Verdict.FAIL
    reason = f"coverage is {measured.value:.3f}, declared {declared:g}, allowed off by {most:g} + {noise:.3f} of noise"
    return GateResult("calibration", verdict, measured.value, rule, reason)


def _slice_gap(metric: str, feature: str, found: Gap, most: float) -> GateResult:
    gate, rule, gap = f"slice_gap.{feature}", f"gap in {metric} between values of {feature} at most {most:g}", found.gap
    if found.judged < 2 or not math.isfinite(gap.value):
        return _unknown(
            gate, rule, f"{found.judged} of its values have enough held-out rows to be judged, two are needed"
        )
    seen = f"{metric} differs by {gap.value:.4g} [{gap.low:.4g}, {gap.high:.4g}] from {found.best} to {found.worst}"
    if gap.value <= most:
        return GateResult(gate, Verdict.PASS, gap.value, rule, seen)
    if gap.low > most:
        return GateResult(gate, Verdict.FAIL, gap.value, rule, f"{seen}: above {most:g}")
    return GateResult(
        gate, Verdict.INCONCLUSIVE, gap.value, rule, f"{seen}: above {most:g}, but the rows could mislead"
    )


def _ceiling(gate: str, what: str, value: float, most: float) -> GateResult:
    rule = f"{what} at most {most:g}"
    if not math.isfinite(value):
        return _unknown(gate, rule, f"{what} was not measured")
    return GateResult(gate, Verdict.PASS if value <= most else Verdict.FAIL, value, rule, f"{what} is {value:.4g}")


def _unknown(gate: str, rule: str, reason: str) -> GateResult:
    return GateResult(gate, Verdict.INCONCLUSIVE, math.nan, rule, reason)
