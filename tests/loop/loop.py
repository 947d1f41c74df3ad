"""The demo's world in a test: real pushes to a bare origin whose hook trains, and what came of them."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pipelines import lineage, tracking
from pipelines.demo_world import World
from pipelines.stages import Stage

ROOT = Path(__file__).resolve().parents[2]
MODEL = "iris"
PATIENCE_SECONDS = 240  # a training takes 10 s on two idle cores


@dataclass(frozen=True)
class Loop:
    """A world, and the stage whose log holds what its commands print."""

    world: World
    stage: Stage

    @classmethod
    def prepare(cls, folder: Path) -> "Loop":
        """Origin at this checkout's commit, its hook, a clone."""
        loop = cls(World(root=ROOT, folder=folder / "world"), Stage("test", folder / "log", started=0.0))
        loop.world.prepare(loop.stage)
        return loop

    def git(self, *arguments: str) -> str:
        """What git prints in the clone."""
        return self.world.git(self.stage, *arguments)

    def at_origin(self, *arguments: str) -> str:
        """What git prints in the bare origin."""
        command = ["git", *arguments]
        return self.stage.run(command, cwd=self.world.origin, environment=self.world.environment)[1].strip()

    def commit(self, message: str) -> str:
        """Commit everything in the clone."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def mainline(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command line in the clone; streams apart, since `--json` is for scripts."""
        return subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=self.world.clone,
            env=self.world.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def start_push(self, commit: str, branch: str) -> "subprocess.Popen[bytes]":
        """`git push` of a commit, not waited for: it ends when the hook has trained."""
        with (self.stage.log.parent / f"push-{commit[:12]}.log").open("wb") as log:
            return subprocess.Popen(
                ["git", "push", "--quiet", "origin", f"{commit}:refs/heads/{branch}"],
                cwd=self.world.clone,
                env=self.world.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def versions(self, model: str = MODEL) -> list[tracking.Version]:
        """What is registered, oldest first."""
        return tracking.versions(model)

    def run_of(self, commit: str) -> tracking.Run:
        """The one MLflow run of a commit."""
        (run,) = [run for run in tracking.runs(MODEL) if run.tags[lineage.COMMIT] == commit]
        return run
