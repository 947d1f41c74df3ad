"""What a rehearsal is asked for, and what git says to it: both sides built, what differs, what a person should know."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.errors import ConfigError
from pipelines.rehearsal import refs
from pipelines.rehearsal.record import Rehearsal, Version
from pipelines.rehearsal.revisions import Revision, changes, containers, revisions, rollback_window

# Two servers, their callers, Prometheus and the judge take one of two cores at this rate, and 500 requests of a quarter
# of it take ten seconds.
RATE = 200.0
SEED = 1
# Of the walk alone; starting and ending take some ten seconds more.
MOST_SECONDS = 75.0


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


@dataclass(frozen=True)
class Prepared:
    """Both sides of a rehearsal.

    Attributes:
        head: the side that would be deployed.
        stable: None where nothing is released yet.
        candidate: what would be.
        differing: what differs of what decides a rollout; nothing where merging rolls out nothing.
        blank: the record before anything was done.
    """

    head: refs.Side
    stable: Revision | None
    candidate: Revision
    differing: tuple[str, ...]
    blank: Rehearsal


def prepare(root: Path, request: Request, work: Path, repo: str) -> Prepared:
    """Both refs chosen, exported into `work` and built.

    Raises:
        ConfigError: a ref or an overlay is not as it must be, or the head releases nothing.
    """
    model, environment = request.model, request.environment
    base, head = refs.choose(root, model, environment, base=request.base, head=request.head, repo=repo)
    before = refs.side(root, base, work / "base", environment, model)
    after = refs.side(root, head, work / "head", environment, model)
    if not after.release.is_released:
        raise ConfigError([f"{head.name}: nothing of {model} is released to {environment}: promote a version first"])
    stable, candidate = revisions(before, after)
    differing = changes(before, after)
    blank = Rehearsal(
        model=model,
        environment=environment,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        ending="nothing",
        reason=f"{base.name} and {head.name} build the same rollout: merging changes nothing that {environment} runs",
        strategy="first" if stable is None else "canary",
        base=_version(before, stable),
        head=_version(after, candidate),
        notes=tuple(_notes(root, before, after, differing)),
    )
    return Prepared(after, stable, candidate, differing, blank)


def _notes(root: Path, before: refs.Side, after: refs.Side, differing: tuple[str, ...]) -> list[str]:
    notes = []
    if before.release.is_released and differing:
        notes.append(f"What differs: {', '.join(differing)}.")
        if before.release == after.release:
            notes.append("The candidate is the same release again, under the head's gates, steps and pods.")
        elif refs.restores(root, before.ref, after, rollback_window(after)):
            notes.append("It ran here lately: within rollbackWindow Argo Rollouts would skip its steps and gates.")
    if images := containers(before, after):
        notes.append(f"This checkout's code stands for the image {' and '.join(images)}, which is not run here.")
    return notes


def _version(side: refs.Side, revision: Revision | None) -> Version:
    release = side.release
    return Version(
        ref=side.ref.name,
        commit=side.ref.commit,
        version=release.version,
        digest=release.digest,
        hash=revision.hash if revision is not None else "",
    )
