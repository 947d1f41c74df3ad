"""A rehearsal as the demo's person runs it: the command of its own, its report kept beside the demo's."""

import shutil
import sys
from pathlib import Path

from pipelines.demo_world import World
from pipelines.forge import Proposal
from pipelines.jsonfile import read_json
from pipelines.report import Rehearsed
from pipelines.stages import Stage

# `mainline rehearse` ends so where the rollout was not promoted: 3 aborted, 4 paused.
_ENDINGS = (0, 3, 4)


def rehearse(world: World, stage: Stage, proposal: Proposal) -> Rehearsed:
    """Rehearses an open proposal in the demo's clone.

    Raises:
        StageFailed: the rehearsal could not be held.
    """
    model, environment = proposal.model, proposal.environment
    mainline = Path(sys.executable).parent / "mainline"
    command: list[str | Path] = [mainline, "rehearse", model, "--env", environment, "--head", proposal.branch]
    stage.run(["git", "fetch", "--quiet", "origin"], cwd=world.clone, environment=world.environment)
    stage.run(command, cwd=world.clone, environment=world.environment, accepted=_ENDINGS)
    kept = world.folder / "rehearsals" / proposal.version
    shutil.copytree(world.clone / "build" / "rehearsal" / f"{model}-{environment}", kept)
    told = read_json(kept / "rehearsal.json")
    return Rehearsed(
        what=f"version {proposal.version} to {environment}",
        version=proposal.version,
        ending=str(told["ending"]),
        gate=str(told["gate"]),
        reason=str(told["reason"]),
        seconds=float(told["seconds"]),
        link=f"rehearsals/{proposal.version}/report.html",
    )
