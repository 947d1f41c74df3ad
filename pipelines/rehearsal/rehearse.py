"""Rehearses a rollout here before anybody merges it: both versions served, traffic replayed, gates asked, steps walked.

The Rollout, its AnalysisTemplates and its thresholds are those of the built overlay; what is measured is real. Called
by `mainline rehearse`, by the demo and by the tests of specimens.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from models.bundle import Digest
from models.store import fetch
from pipelines.process import exclusive
from pipelines.rehearsal import account, prometheus, refs, replay, report
from pipelines.rehearsal.child import NotStarted, terminable
from pipelines.rehearsal.contract import Ending, Outcome
from pipelines.rehearsal.live import View
from pipelines.rehearsal.machine import play
from pipelines.rehearsal.preparation import Prepared, Request, prepare
from pipelines.rehearsal.record import Rehearsal, TrafficUsed
from pipelines.rehearsal.revisions import Revision
from pipelines.rehearsal.scene import Scene
from pipelines.rehearsal.script import Script
from pipelines.rehearsal.summary import summary
from pipelines.rehearsal.world import RealWorld, TookTooLong

__all__ = ["Request", "rehearse"]

# 800 rows of stable at the usual rate: blue-green compares with what was before the switch.
_PROLOGUE_SECONDS = 4.0
# So that the last sample shows where the traffic went.
_EPILOGUE_SECONDS = 1.6
# The rehearsal's own check of the gates, by what callers saw: so many failed requests are no accident of a connection.
_CALLERS_ERRORS = 5
_CALLERS_SHARE = 0.01


def rehearse(root: Path, request: Request, *, repo: str, console: Console) -> Rehearsal:
    """Rehearses, and writes rehearsal.json, report.html, summary.md and logs/ to `request.folder`.

    Args:
        root: the checkout.
        request: what.
        repo: where proposals are.
        console: shows how it goes.

    Raises:
        ConfigError: a ref, an overlay, a template or the traffic is not as it must be; nothing was started.
        ToolMissing: there is no Kustomize or no Prometheus.
        NotStarted: stable, Prometheus or the judge does not start.
    """
    folder, begun = request.folder(root), time.monotonic()
    view = View(console, f"rehearsing {request.model} for {request.environment}")
    with exclusive(folder.with_suffix(".lock")), terminable(), view:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            rehearsal = _Rehearsing(root, request, view).run(repo)
        finally:
            _keep_logs(folder / "work", folder / "logs")
            if not request.keep:
                shutil.rmtree(folder / "work", ignore_errors=True)
        rehearsal = replace(rehearsal, took_seconds=round(time.monotonic() - begun, 1))
        rehearsal.write(folder / "rehearsal.json")
        report.write(rehearsal, folder / "report.html")
        (folder / "summary.md").write_text(summary(rehearsal), encoding="utf-8")
    return rehearsal


class _Rehearsing:
    """One rehearsal while it is made."""

    def __init__(self, root: Path, request: Request, view: View) -> None:
        self.root, self.request, self.view = root, request, view
        self.folder = request.folder(root)
        self.work = self.folder / "work"

    def run(self, repo: str) -> Rehearsal:
        self.view.say("building the overlay at both refs")
        prepared = prepare(self.root, self.request, self.work, repo)
        if prepared.stable is None:
            return self._first(prepared)
        if not prepared.differing:
            return prepared.blank
        return self._walk(prepared, prepared.stable)

    def _first(self, prepared: Prepared) -> Rehearsal:
        """A first deployment has no stable to compare with: what there is to see is whether it gets ready."""
        self.view.say("starting the candidate: a first deployment has no steps and no gates")
        begun = time.monotonic()
        ending, reason = Ending.PROMOTED, "a first deployment has no steps: the server verified its bundle and is ready"
        with Scene(self.work, prepared.candidate) as scene:
            try:
                scene.start_server("candidate").await_ready()
            except NotStarted as err:
                ending, reason = Ending.ABORTED, str(err)
        return replace(
            prepared.blank,
            ending=ending.value,
            reason=reason,
            share=1.0 if ending is Ending.PROMOTED else 0.0,
            seconds=round(time.monotonic() - begun, 1),
        )

    def _walk(self, prepared: Prepared, stable: Revision) -> Rehearsal:
        """Everything started, the rollout walked, everything ended."""
        asked = self.request
        built = refs.rehearsed(prepared.head, asked.environment, asked.model)
        bundle = fetch(stable.uri, self.work / "bundle", Digest(stable.digest))
        rows = replay.captured_rows(asked.traffic, bundle) if asked.traffic else replay.held_out_rows(bundle)
        source = f"captured at {asked.traffic}" if asked.traffic else f"held-out rows of version {stable.version}"
        traffic = TrafficUsed(source=f"{len(rows)} rows, {source}", rows=len(rows), rate=asked.rate, seed=asked.seed)
        with Scene(self.work, prepared.candidate, stable) as scene:
            script = Script.of(built, scene)
            self.view.plan(script.metrics, steps=script.steps)
            self.view.say(f"{traffic.source}; {asked.rate:g} requests a second, seed {asked.seed}")
            self.view.say("starting stable, candidate, Prometheus and the judge")
            scene.start(self.root)
            world = scene.world(rows, asked.rate, asked.seed, asked.most_seconds, self.view.sample)
            outcome = self._played(script, world)
            blank = replace(
                prepared.blank,
                strategy=script.strategy,
                steps=script.steps,
                notes=(*prepared.blank.notes, *scene.gone()),
                gates=account.gates(outcome, script.metrics, scene.save_reports(world, self.folder / "judge")),
                distances=account.distances(world.asked, scene.reports),
                prometheus=prometheus.version(scene.prometheus_url),
            )
        return _told(blank, outcome, world, traffic)

    def _played(self, script: Script, world: RealWorld) -> Outcome:
        """The walk; where its time is over, a rollout that waits for a person."""
        events = account.Heard(self.view.event)
        try:
            world.begin(after_seconds=_PROLOGUE_SECONDS)
            outcome = play(script.plan, world, on_event=events)
        except TookTooLong as err:
            return events.unfinished(str(err), world.now())
        else:
            time.sleep(_EPILOGUE_SECONDS)
            return outcome
        finally:
            world.end()


def _told(blank: Rehearsal, outcome: Outcome, world: RealWorld, traffic: TrafficUsed) -> Rehearsal:
    """The record of a walk."""
    seen = {name: world.traffic.tally.seen(name) for name in world.servers}
    ending, reason = outcome.ending, outcome.reason
    blind = unseen(seen["candidate"].requests, seen["candidate"].errors) if ending is Ending.PROMOTED else ""
    if blind:
        ending, reason = Ending.PAUSED, blind
    return replace(
        blank,
        ending=ending.value,
        reason=reason,
        gate=outcome.gate,
        template=outcome.template,
        step=outcome.step,
        share=outcome.share,
        seconds=round(outcome.seconds, 2),
        traffic=replace(
            traffic,
            sent={name: each.requests for name, each in seen.items()},
            errors={name: each.errors for name, each in seen.items()},
        ),
        marks=account.marks(outcome),
        measurements=account.measurements(outcome),
        points=account.points(world.samples),
    )


def unseen(requests: int, errors: int) -> str:
    """What callers of a promoted candidate saw and no gate did; empty where there was nothing."""
    if errors < _CALLERS_ERRORS or errors < _CALLERS_SHARE * requests:
        return ""
    return (
        f"every gate passed, and yet {errors:,} of {requests:,} requests to the candidate failed for their callers: "
        "the gates have a blind spot here, so a person decides"
    )


def _keep_logs(work: Path, logs: Path) -> None:
    """Copies what each process printed, under the name of its folder."""
    for log in sorted(work.glob("*/*.log")):
        logs.mkdir(exist_ok=True)
        shutil.copyfile(log, logs / f"{log.parent.name}.log")
