"""The cases as the rehearsal's own engine answers them, on a clock of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.errors import ConfigError
from pipelines.rehearsal.analysis import AnalysisRun
from pipelines.rehearsal.contract import Ending, Measured, Outcome, Phase, Split
from pipelines.rehearsal.errors import Unsupported
from pipelines.rehearsal.expression import ExpressionError, UnsupportedExpression, evaluate, parse
from pipelines.rehearsal.machine import run as rolled_out
from pipelines.rehearsal.metric import Metric, Web
from pipelines.rehearsal.template import resolve
from tests.e2e.conformance import manifests
from tests.e2e.conformance.answers import Answer, read
from tests.e2e.conformance.seen import Analysis, Pods, Rolled
from tests.e2e.conformance.table import Case

# Of a refusal: the cluster may well take it.
NOT_COVERED = "not covered: "
NOWHERE = "http://nowhere"
READY_SECONDS = 5


@dataclass
class Script:
    """The answers of a case, given one after another; the last again and again where `again`."""

    answers: Mapping[str, list[Answer]]
    asked: dict[str, int] = field(default_factory=dict)

    def next(self, case: Case, metric: Metric) -> Measured:
        """The next answer to a metric."""
        path = case.path(metric.name)
        index = self.asked.get(path, 0)
        self.asked[path] = index + 1
        answers = self.answers[path]
        # of Prometheus a vector or a scalar is told by the answer itself
        return read("json" if isinstance(metric.provider, Web) else "", answers[min(index, len(answers) - 1)])

    def used_up(self, case: Case, metric: str) -> bool:
        """Whether the row says no further answer to it."""
        return self.asked.get(case.path(metric), 0) >= len(self.answers[case.path(metric)])


def analysis(case: Case) -> Analysis:
    """An analysis run walked to its end, or until an answer is missing."""
    row = case.row
    template = manifests.template(case, NOWHERE, "case", row)
    try:
        metrics = resolve(["case"], {"case": template}, row.get("arguments", {}))
    except ConfigError as refusal:
        return Analysis(refused=str(refusal))
    books, script = AnalysisRun(metrics, 0.0), Script(case.answers())
    _walk(books, case, script)
    seen = {name: result for name, result in books.results.items() if result.measurements}
    first = min((result.measurements[0].time for result in seen.values()), default=0.0)
    return Analysis(
        run=str(books.phase),
        message=books.message,
        phases={name: [str(each.phase) for each in result.measurements] for name, result in seen.items()},
        ends={name: str(result.phase) for name, result in seen.items()},
        times={name: [each.time - first for each in result.measurements] for name, result in seen.items()},
    )


def _walk(books: AnalysisRun, case: Case, script: Script) -> None:
    now, end = 0.0, case.row.get("terminate", float("inf"))
    while not books.phase.completed:
        for metric in books.due(now):
            if script.used_up(case, metric.name):
                return
            books.record(metric.name, script.next(case, metric), now)
        if not books.assess().completed:
            at = books.next_due()
            assert at is not None, case.name
            if at > end:
                books.terminate()
            now = at


@dataclass
class _Scripted:
    """A world of scripted answers, whose pods are ready after so many seconds."""

    case: Case
    script: Script
    ready: float
    time: float = 0.0
    changed: float = 0.0
    splits: list[Split] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def wait(self, until: float) -> None:
        self.time = max(self.time, until)

    def measure(self, metric: Metric) -> Measured:
        return self.script.next(self.case, metric)

    def split(self, split: Split) -> None:
        before = self.splits[-1].candidate_pods if self.splits else 0
        self.changed = self.time if split.candidate_pods > before else self.changed
        self.splits.append(split)

    def available(self, revision: str) -> bool:
        return self.time >= self.changed + self.ready


def ready_after(case: Case) -> float:
    """Seconds until the candidate's pods are ready; infinite where they never are."""
    ready = case.row.get("ready", READY_SECONDS / case.factor)
    return float("inf") if ready == "never" else float(ready)


def rollout(case: Case, *, later: float = 0.0) -> Rolled:
    """A rollout walked to its end; its candidate's pods are ready so much later than the row says."""
    rollout = manifests.rollout(case, {}, "2")
    templates = {name: manifests.template(case, NOWHERE, name, spec) for name, spec in _templates(case).items()}
    world = _Scripted(case, Script(case.answers()), ready_after(case) + later)
    try:
        ended = rolled_out(rollout, templates, world, restores=case.row.get("restores", False))
    except ConfigError as refusal:
        return Rolled(refused=(NOT_COVERED if isinstance(refusal, Unsupported) else "") + str(refusal))
    return Rolled(
        ending=str(ended.ending),
        step=ended.step,
        message=ended.message if ended.ending is Ending.ABORTED else _waits_for(ended),
        gates=(ended.gate,) if ended.gate else (),
        verdicts={name: str(phase) for name, phase in ended.verdicts.items()},
        pods=_pods(ended, world),
        share=round(ended.share * 100, 1),
        seconds=ended.seconds,
    )


def _templates(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = case.row.get("templates", {})
    return found


def _waits_for(ended: Outcome) -> str:
    if ended.ending is not Ending.PAUSED:
        return ""
    return "InconclusiveAnalysisRun" if ended.gate else ended.message


def _pods(ended: Outcome, world: _Scripted) -> tuple[Pods, ...]:
    """After each step that sets a weight, before the next step begins."""
    splits, found, weighs = iter(world.splits), list[Pods](), False
    latest: Pods | None = None
    for event in ended.events:
        if event.kind == "split":
            each = next(splits)
            latest = each.candidate_pods, each.stable_pods
        if event.kind in ("step", "end"):
            if weighs and latest is not None and event.kind == "step":
                found.append(latest)
            weighs = event.label.startswith("setWeight")
    return tuple(found)


def condition(text: str, measured: Measured) -> str:
    """The phase of a measurement with this success condition; `refused` with the reason where it is not covered."""
    try:
        parse(text)
    except UnsupportedExpression as err:
        return f"refused: {err}"
    except ExpressionError:
        pass  # found out by measuring, as by Argo Rollouts
    try:
        return Phase.SUCCESSFUL if evaluate(text, measured.value) else Phase.FAILED
    except UnsupportedExpression as err:
        return f"refused: {err}"
    except ExpressionError:
        return Phase.ERROR
