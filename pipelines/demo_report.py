"""What the demo tells at its end: the HTML report, and a table and a picture in the terminal.

Numbers come from where the steps recorded them (MLflow and the runs' metrics.json), never from the demo itself.
"""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.errors import MainlineError
from models.spec import load_gates
from models.store import read_bytes
from pipelines import lineage, report, tracking
from pipelines.demo_world import World
from pipelines.stages import Stages

NEVER = datetime.min.replace(tzinfo=UTC)
BAR = 32  # characters of the terminal's picture: fits an 80-column window beside the figures


@dataclass
class Told:
    """What was collected while the demo ran."""

    runs: list[str] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)  # run id -> what was tried
    rehearsed: list[report.Rehearsed] = field(default_factory=list)
    lineage: dict[str, str] = field(default_factory=dict)
    stages: tuple[report.Stage, ...] = ()
    began: datetime = NEVER
    seconds: float = 0.0
    failure: str = ""

    def run(self, run: tracking.Run) -> None:
        """Remember a training's run."""
        self.runs.append(run.id)

    @property
    def aborted(self) -> set[str]:
        """The versions whose rollout a rehearsal did not promote."""
        return {told.version for told in self.rehearsed if told.ending != "promoted"}

    def stopped(self, what: str, run: tracking.Run) -> None:
        """Remember a run that a gate refused, and what had been tried."""
        self.refusals[run.id] = what

    def end(self, began: datetime, stages: Stages, failure: MainlineError | None) -> None:
        """Close the account."""
        self.began, self.seconds, self.failure = began, stages.elapsed, str(failure or "")
        statuses = {"done": report.Status.OK, "failed": report.Status.FAILED}
        self.stages = tuple(
            report.Stage(
                name=stage.name,
                started_seconds=stage.started,
                seconds=stage.seconds,
                status=report.Status.STOPPED if stage.detail.startswith("stopped:") else statuses[stage.status],
                detail=stage.detail,
            )
            for stage in stages.finished
        )


def metrics_of(run: tracking.Run) -> dict[str, Any]:
    """The run's metrics.json as register recorded it; empty where the run ended before its evaluation."""
    if lineage.VERDICT not in run.tags:
        return {}
    return dict(json.loads(read_bytes(f"{run.artifacts}/evaluation/metrics.json") or b"{}"))


def write_report(told: Told, world: World) -> Path:
    """Write build/demo/report.html."""
    runs = [tracking.get_run(run_id) for run_id in told.runs]
    stopped, aborted = len(told.refusals), len(told.aborted)
    outcome = told.failure or (
        f"The loop closed: {len(runs)} trainings, {stopped} stopped before release, {aborted} before production, "
        "one rolled back."
    )
    demo = report.Demo(
        outcome=outcome.splitlines()[0],
        succeeded=not told.failure,
        started=told.began,
        seconds=told.seconds,
        commit=runs[0].tags[lineage.COMMIT] if runs else "",
        summary="A push trained, a merge promoted, bad models were stopped and a revert rolled back, on one machine.",
        stages=told.stages,
        metrics=tuple(dot for run in runs for dot in _dots(run, world)),
        gates=tuple(row for run in runs for row in _rows(run)),
        stopped=tuple(_stopped(run, told.refusals[run.id]) for run in runs if run.id in told.refusals),
        rehearsed=tuple(told.rehearsed),
        lineage=tuple(report.LineageStep(what=what, value=value) for what, value in told.lineage.items()),
        commands=_commands(world),
    )
    return report.render(demo, world.folder / "report.html")


def show_end(told: Told, world: World, console: Console) -> None:
    """A table of the trainings with a bar each, and where to look further."""
    runs = [tracking.get_run(run_id) for run_id in told.runs]
    documents = [metrics_of(run) for run in runs]
    metric = load_gates(world.clone / "models" / runs[0].tags[lineage.MODEL]).offline.metric
    longest = max((_value(document, metric) for document in documents if document), default=math.nan)
    table = Table(title=f"{runs[0].tags[lineage.MODEL]}: {metric} on the held-out rows", title_justify="left")
    for heading in ("commit", "version", metric, "", "verdict"):
        table.add_column(heading, justify="right" if heading == metric else "left")
    for run, document in zip(runs, documents, strict=True):
        value = _value(document, metric)
        bar = "█" * round(BAR * value / longest) if math.isfinite(value) else ""
        version = run.tags.get(lineage.VERSION, "none")
        verdict = "stopped" if run.id in told.refusals else "aborted" if version in told.aborted else "released"
        colour = "green" if verdict == "released" else "red"
        table.add_row(
            run.tags[lineage.COMMIT][:10], version, f"{value:.2f}", f"[{colour}]{bar}[/]", f"[{colour}]{verdict}[/]"
        )
    console.print(table)
    console.print(f"report: {world.folder / 'report.html'}", markup=False, soft_wrap=True)
    for command in _commands(world):
        console.print(f"{command.purpose}: {command.command}", markup=False, soft_wrap=True)


def _value(document: dict[str, Any], metric: str) -> float:
    found = document.get("metrics", {}).get(metric, {}).get("value")
    return math.nan if found is None else float(found)


def _dots(run: tracking.Run, world: World) -> list[report.VersionMetrics]:
    document = metrics_of(run)
    if not document:
        return []
    model = run.tags[lineage.MODEL]
    offline = load_gates(world.clone / "models" / model).offline
    limit = offline.limits.get(offline.metric)
    found = document["metrics"][offline.metric]
    lower_is_better = offline.metric in ("rmse", "mae", "log_loss")
    edge = None if limit is None else (limit.max if lower_is_better else limit.min)
    return [
        report.VersionMetrics(
            model=model,
            version=_called(run),
            commit=run.tags[lineage.COMMIT],
            metric=offline.metric,
            value=found["value"],
            low=found["low"],
            high=found["high"],
            verdict=run.tags[lineage.VERDICT],
            lower_is_better=lower_is_better,
            limit=edge,
        )
    ]


def _rows(run: tracking.Run) -> list[report.GateRow]:
    name = f"{run.tags[lineage.COMMIT][:10]}, {_called(run)}"
    return [
        report.GateRow(
            run=name,
            gate=gate["gate"],
            value=_text(gate["value"]),
            rule=gate["rule"],
            verdict=gate["verdict"],
            reason=gate["reason"],
        )
        for gate in metrics_of(run).get("gates", [])
    ]


def _stopped(run: tracking.Run, what: str) -> report.Stopped:
    closed = [gate for gate in metrics_of(run).get("gates", []) if gate["verdict"] == "fail"]
    first = closed[0] if closed else {"gate": "validation", "value": "", "rule": "the data must be valid"}
    return report.Stopped(
        what=what.removeprefix("push trains: "),
        gate=", ".join(gate["gate"] for gate in closed) or "validation",
        value=_text(first["value"]),
        rule=first["rule"],
        reason=run.tags.get(lineage.REASON, ""),
        run=run.id,
        commit=run.tags[lineage.COMMIT],
    )


def _called(run: tracking.Run) -> str:
    return f"version {run.tags[lineage.VERSION]}" if lineage.VERSION in run.tags else "refused"


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _commands(world: World) -> tuple[report.Command, ...]:
    return (
        report.Command(purpose="servers and MLflow's pages stay up", command="make demo KEEP=1"),
        report.Command(purpose="what main's history says", command=f"git -C {world.clone} log --oneline --graph"),
        report.Command(
            purpose="runs and versions", command=f".venv/bin/mlflow ui --backend-store-uri {world.tracking_uri}"
        ),
    )
