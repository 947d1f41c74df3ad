"""The whole loop, played on this machine: a push trains, a merge promotes, bad models are stopped, a revert rolls back.

Every scene does what a person would do, in a scratch clone (demo_world); the steps run because a push made the hook run
the rendered workflow. What was seen is drawn by demo_report. Called by `mainline demo`.
"""

import os
import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from rich.console import Console

from models.errors import MainlineError
from models.release import read_release, release_path
from models.spec import load_spec
from pipelines import forge, lineage, tracking
from pipelines.build import build_overlay
from pipelines.demo_keep import end_kept, keep_up
from pipelines.demo_rehearsal import rehearse
from pipelines.demo_report import Told, show_end, write_report
from pipelines.demo_world import APPROVER, World, ask, scale_column, shuffle_column
from pipelines.jsonfile import read_json
from pipelines.promote import promote
from pipelines.serve import Served, serve
from pipelines.stages import Stage, StageFailed, Stages
from pipelines.standing import Ending, record
from pipelines.trace import trace

MODEL = "diabetes"
PARAMETER = "alpha"
FIRST, CRIPPLED, BETTER = "200.0", "100000.0", "20.0"
SEED = 20080101  # of the shuffled labels; any other shuffle is stopped as well
# an hour after sugar it is about 1.8 times the fasting glucose that the column holds; within the declared range
COLUMN, NOT_FASTING = "glucose", 1.8


@dataclass
class Play:
    """The demo while it runs: its world, its stages, the servers that are up, and what is to be told at the end."""

    world: World
    stages: Stages
    cleanup: ExitStack
    servers: dict[str, Served] = field(default_factory=dict)
    told: Told = field(default_factory=Told)

    def push_trains(self, name: str, message: str, *, refused: bool = False) -> None:
        """Push what was edited; the hook trains it. A stage fails where a bad model passes or a good one does not."""
        with self.stages.stage(name) as stage:
            commit = self.world.commit_and_push(stage, message)
            run = tracking.find_run(commit)
            opened = forge.open_proposals(self.world.origin, MODEL, "staging")
            registered = [v for v in tracking.versions(MODEL) if v.run_id == run.id]
            if refused:
                if registered or opened or run.status != "FAILED":
                    raise StageFailed(f"a bad model got through: run {run.id} is {run.status}, versions {registered}")
                stage.detail = f"stopped: {reason(run)}"
                self.told.stopped(name, run)
            else:
                if not registered or not opened:
                    raise StageFailed(f"run {run.id} is {run.status} and proposed nothing: {reason(run)}")
                stage.detail = f"version {registered[0].number} registered, {opened[0].branch} proposed"
            self.told.run(run)

    def rehearse(self, expected: str) -> None:
        """Propose for production what staging runs, and rehearse its rollout; what is aborted is not merged."""
        with self.stages.stage("rehearse the rollout before the merge") as stage:
            proposal = promote(self.world.origin, MODEL, to="production")
            told = rehearse(self.world, stage, proposal)
            self.told.rehearsed.append(told)
            if told.ending != expected:
                raise StageFailed(
                    f"the rehearsal of {proposal.branch} was {told.ending}, not {expected}: {told.reason}"
                )
            if told.ending == "promoted":
                stage.detail = f"{told.ending}: {told.reason}"
            else:
                forge.close(proposal, f"rehearsal {told.ending}: {told.reason}")
                stage.detail = f"stopped: {told.reason}"

    def merge(self, environment: str) -> None:
        """Merge the open proposal, as the forge's button does, and serve what the built overlay then says."""
        with self.stages.stage(f"merge promotes to {environment}") as stage:
            (proposal,) = forge.open_proposals(self.world.origin, MODEL, environment)
            forge.merge(self.world.origin, proposal.branch, APPROVER)
            self.world.pull(stage)
            self.serve(stage, environment)
            record(MODEL, proposal.version, environment, Ending.COMPLETED, attempt=1)

    def serve(self, stage: Stage, environment: str) -> None:
        """Put the environment's server in the place of the one before."""
        stage.say(f"building kustomize/overlays/{environment}/{MODEL} and starting its command")
        home = self.world.folder / "serving" / f"{environment}-{len(self.stages.finished)}"
        server = serve(self.world.clone, environment, MODEL, home=home)
        self.cleanup.callback(server.stop)
        before = self.servers.get(environment)
        self.servers[environment] = server
        if before:
            before.stop()
        release = read_release(self.world.clone / release_path(environment, MODEL))
        stage.detail = f"version {release.version} answers at {server.url}, digest {server.digest[:19]}"

    def ask_and_trace(self) -> None:
        """One request, its digest in the answer, and the walk back from it."""
        with self.stages.stage("a prediction walks back to its approver") as stage:
            server = self.servers["production"]
            answer = ask(server.url, self.example())
            if answer["digest"] != server.digest:
                raise StageFailed(f"the answer says {answer['digest']}, git says {server.digest}")
            self.told.lineage = trace(server.url, self.world.clone)
            approver = self.told.lineage.get("production approved by", "")
            if not approver.startswith(APPROVER):
                raise StageFailed(f"lineage names {approver or 'nobody'}, {APPROVER} merged")
            (prediction,) = cast("list[dict[str, float]]", answer["predictions"])
            interval = f"[{prediction['lower']:.0f}, {prediction['upper']:.0f}]"
            stage.detail = f"{prediction['prediction']:.0f} {interval} of {server.digest[:19]}, approved by {approver}"

    def example(self) -> dict[str, object]:
        """One row that the served version was tested with: the first golden one."""
        release = read_release(self.world.clone / release_path("production", MODEL))
        golden = read_json(Path(release.uri.removeprefix("file://")) / "golden.json")
        return dict(golden["rows"][0])

    def roll_back(self, built: str, digest: str) -> None:
        """`git revert` of the promotion: the same pod template, the former digest answers."""
        with self.stages.stage("git revert rolls back production") as stage:
            self.world.git(stage, "revert", "--no-edit", "--mainline", "1", "HEAD")
            self.world.push(stage)
            now = build_overlay(self.world.clone, "production", MODEL)
            if now != built:
                raise StageFailed("the built overlay differs from the one before the promotion")
            self.serve(stage, "production")
            answer = ask(self.servers["production"].url, self.example())
            if answer["digest"] != digest:
                raise StageFailed(f"{answer['digest']} answers after the revert, {digest} was expected")
            stage.detail = f"the overlay is byte for byte the former one, {digest[:19]} answers again"


def play(root: Path, *, keep: bool, console: Console) -> None:
    """Play all scenes and write build/demo/report.html.

    Args:
        root: checkout whose last commit is played with.
        keep: leave the servers and the MLflow UI up.
        console: where stages and the closing table go.

    Raises:
        StageFailed: a scene did not end as it should; the report is written all the same.
    """
    world = World(root=root, folder=root / "build" / "demo")
    end_kept(world, console)
    began = datetime.now(UTC)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended politely, it ends its servers too
    with ExitStack() as cleanup:
        stages = Stages(console, root / "build" / "demo-logs")
        game = Play(world, stages, cleanup)
        os.environ.update(world.settings)
        failure: MainlineError | None = None
        try:
            scenes(game)
        except MainlineError as error:
            failure = error
            raise
        finally:
            game.told.end(began, stages, failure)
            if world.folder.exists():
                write_report(game.told, world)
        show_end(game.told, world, console)
        if keep:
            keep_up(world, list(game.servers.values()), console)
            cleanup.pop_all()


def scenes(game: Play) -> None:
    """The story, in order."""
    world, stages = game.world, game.stages
    with stages.stage("prepare a scratch origin and clone") as stage:
        world.prepare(stage)
    world.set_parameter(MODEL, PARAMETER, FIRST)
    game.push_trains("push trains: the first version", f"{MODEL}: {PARAMETER} {FIRST}")
    game.merge("staging")
    game.rehearse("promoted")
    game.merge("production")
    game.ask_and_trace()

    former = world.set_parameter(MODEL, PARAMETER, CRIPPLED)
    game.push_trains("push trains: a crippled model is stopped", f"{MODEL}: {PARAMETER} {CRIPPLED}", refused=True)
    world.set_parameter(MODEL, PARAMETER, former)
    target = load_spec(world.clone / "models" / MODEL).target.name
    with stages.stage("new data arrive: labels shuffled") as stage:
        sound = world.git(stage, "rev-parse", "HEAD")
        world.new_data(stage, MODEL, lambda table: shuffle_column(table, target, seed=SEED))
    game.push_trains("push trains: shuffled labels are stopped", f"data: new {MODEL} labels", refused=True)
    with stages.stage("the data go back") as stage:
        world.data_of(stage, sound)

    # training and held-out rows have the same mistake, so no offline gate can see it
    with stages.stage("new data arrive: glucose of people who did not fast") as stage:
        world.new_data(stage, MODEL, lambda table: scale_column(table, COLUMN, NOT_FASTING))
    game.push_trains("push trains: no offline gate sees the mistake", f"data: {COLUMN} not fasting")
    game.merge("staging")
    game.rehearse("aborted")
    with stages.stage("the data go back again") as stage:
        world.data_of(stage, sound)

    world.set_parameter(MODEL, PARAMETER, BETTER)
    game.push_trains("push trains: a better model passes", f"{MODEL}: {PARAMETER} {BETTER}")
    game.merge("staging")
    game.rehearse("promoted")
    built, digest = build_overlay(world.clone, "production", MODEL), game.servers["production"].digest
    game.merge("production")
    game.roll_back(built, digest)


def reason(run: tracking.Run) -> str:
    """Why a run was refused, as the refusing step recorded it."""
    return run.tags.get(lineage.REASON, "no reason recorded")
