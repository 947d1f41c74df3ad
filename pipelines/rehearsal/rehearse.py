"""Rehearses a rollout here before anybody merges it: both versions served, traffic replayed, gates asked, steps walked.

The Rollout, its AnalysisTemplates and its thresholds are those of the built overlay; what is measured is real. Called
by `mainline rehearse`, by the demo and by the tests of specimens.
"""

import shutil
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from models.bundle import Digest
from models.errors import ConfigError
from models.store import fetch
from pipelines.process import exclusive
from pipelines.rehearsal import account, prometheus, refs, replay, report
from pipelines.rehearsal.child import NotStarted, terminable
from pipelines.rehearsal.contract import Ending, Outcome
from pipelines.rehearsal.live import View
from pipelines.rehearsal.machine import play
from pipelines.rehearsal.record import Rehearsal, TrafficUsed, Version
from pipelines.rehearsal.revisions import Revision, changes, revisions, rollback_window
from pipelines.rehearsal.scene import Scene
from pipelines.rehearsal.script import Script
from pipelines.rehearsal.summary import summary
from pipelines.rehearsal.world import RealWorld, TookTooLong

# Two servers, their callers, Prometheus and the judge take one of two cores at this rate, and 500 requests of a quarter
# of it take ten seconds.
RATE = 200.0
SEED = 1
# Of the walk alone; starting and ending take some ten seconds more.
MOST_SECONDS = 75.0
# 800 rows of stable at the usual rate: blue-green compares with what was before the switch.
_PROLOGUE_SECONDS = 4.0
# So that the last sample shows where the traffic went.
_EPILOGUE_SECONDS = 1.6


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be rehearsed; empty refs are chosen as `refs.choose` says.

    Attributes:
        traffic: address of a capture log whose rows are replayed; empty replays held-out rows.
        rate: requests a second, of both versions together.
        keep: whether servers' volumes, Prometheus' data and the built overlays stay.
        most_seconds: of the walk; what is not decided then waits for a person.
    """

    model: str
    environment: str
    base: str = ""
    head: str = ""
    traffic: str = ""
    rate: float = RATE
    seed: int = SEED
    keep: bool = False
    most_seconds: float = MOST_SECONDS

    def folder(self, root: Path) -> Path:
        """Where the rehearsal's files are."""
        return root / "build" / "rehearsal" / f"{self.model}-{self.environment}"


def rehearse(root: Path, request: Request, *, repo: str, console: Console) -> Rehearsal:
    """Rehearses, and writes rehearsal.json, report.html and summary.md to `request.folder`.

    Args:
        root: the checkout.
        request: what.
        repo: where proposals are.
        console: shows how it goes.

    Raises:
        ConfigError: a ref, an overlay, a template or the traffic is not as it must be; nothing was started.
        GateClosed: an image is a container's.
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
        asked = self.request
        self.view.say("building the overlay at both refs")
        base, head = refs.choose(self.root, asked.model, asked.environment, base=asked.base, head=asked.head, repo=repo)
        before = refs.side(self.root, base, self.work / "base", asked.environment, asked.model)
        after = refs.side(self.root, head, self.work / "head", asked.environment, asked.model)
        if not after.release.is_released:
            raise ConfigError([f"{head.name}: nothing of {asked.model} is released to {asked.environment}"])
        stable, candidate = revisions(before, after)
        blank = self._blank(before, after, stable, candidate)
        if stable is None:
            return self._first(candidate, blank)
        if not blank.notes:
            same = f"{base.name} and {head.name} build the same rollout"
            return replace(blank, reason=f"{same}: merging changes nothing of what {asked.environment} runs")
        return self._walk(after, stable, candidate, blank)

    def _blank(self, before: refs.Side, after: refs.Side, stable: Revision | None, candidate: Revision) -> Rehearsal:
        """The record before anything was done; without notes where nothing differs."""
        notes = []
        if stable is not None and (differing := changes(before, after)):
            notes.append(f"What differs: {', '.join(differing)}.")
            if before.release == after.release:
                notes.append("The candidate is the same release again, under the head's gates, steps and pods.")
            elif refs.restores(self.root, before.ref, after, rollback_window(after)):
                notes.append("It ran here lately: within rollbackWindow Argo Rollouts would skip its steps and gates.")
        return Rehearsal(
            model=self.request.model,
            environment=self.request.environment,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            ending="nothing",
            reason="",
            strategy="first" if stable is None else "canary",
            base=_version(before, stable),
            head=_version(after, candidate),
            notes=tuple(notes),
        )

    def _first(self, candidate: Revision, blank: Rehearsal) -> Rehearsal:
        """A first deployment has no stable to compare with: what there is to see is whether it gets ready."""
        self.view.say("starting the candidate: a first deployment has no steps and no gates")
        begun = time.monotonic()
        ending, reason = Ending.PROMOTED, "a first deployment has no steps: the server verified its bundle and is ready"
        with Scene(self.work, candidate) as scene:
            try:
                scene.start_server("candidate").await_ready()
            except NotStarted as err:
                ending, reason = Ending.ABORTED, str(err)
        share = 1.0 if ending is Ending.PROMOTED else 0.0
        return replace(
            blank, ending=ending.value, reason=reason, share=share, seconds=round(time.monotonic() - begun, 1)
        )

    def _walk(self, head: refs.Side, stable: Revision, candidate: Revision, blank: Rehearsal) -> Rehearsal:
        """Everything started, the rollout walked, everything ended."""
        asked = self.request
        built = refs.rehearsed(head, asked.environment, asked.model)
        bundle = fetch(stable.uri, self.work / "bundle", Digest(stable.digest))
        rows = replay.captured_rows(asked.traffic, bundle) if asked.traffic else replay.held_out_rows(bundle)
        source = f"captured at {asked.traffic}" if asked.traffic else f"held-out rows of version {stable.version}"
        traffic = TrafficUsed(source=f"{len(rows)} rows, {source}", rows=len(rows), rate=asked.rate, seed=asked.seed)
        with Scene(self.work, candidate, stable) as scene:
            script = Script.of(built, scene)
            self.view.plan(script.metrics, steps=script.steps)
            self.view.say(f"{traffic.source}; {asked.rate:g} requests a second, seed {asked.seed}")
            self.view.say("starting stable, candidate, Prometheus and the judge")
            scene.start(self.root)
            world = scene.world(rows, asked.rate, asked.seed, asked.most_seconds, self.view.sample)
            outcome = self._played(script, world)
            gone = scene.gone()
            links = scene.save_reports(world, self.folder / "judge")
            version = prometheus.version(scene.prometheus_url)
        tally = world.traffic.tally
        seen = {name: tally.seen(name) for name in scene.servers}
        return replace(
            blank,
            ending=outcome.ending.value,
            reason=outcome.reason,
            strategy=script.strategy,
            notes=(*blank.notes, *gone),
            gate=outcome.gate,
            template=outcome.template,
            step=outcome.step,
            steps=script.steps,
            share=outcome.share,
            seconds=round(outcome.seconds, 2),
            traffic=replace(
                traffic,
                sent={name: each.requests for name, each in seen.items()},
                errors={name: each.errors for name, each in seen.items()},
            ),
            prometheus=version,
            gates=account.gates(outcome, script.metrics, links),
            distances=account.distances(world.asked, scene.reports),
            marks=account.marks(outcome),
            points=account.points(world.samples),
        )

    def _played(self, script: Script, world: RealWorld) -> Outcome:
        """The walk; where its time is over, a rollout that waits for a person."""
        events = account.Heard(self.view.event)
        world.begin(after_seconds=_PROLOGUE_SECONDS)
        try:
            outcome = play(script.plan, world, on_event=events)
        except TookTooLong as err:
            return events.unfinished(str(err), world.now())
        else:
            time.sleep(_EPILOGUE_SECONDS)
            return outcome
        finally:
            world.end()


def _version(side: refs.Side, revision: Revision | None) -> Version:
    release = side.release
    return Version(
        ref=side.ref.name,
        commit=side.ref.commit,
        version=release.version,
        digest=release.digest,
        hash=revision.hash if revision is not None else "",
    )
