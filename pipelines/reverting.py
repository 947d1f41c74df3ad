"""Proposes to take an aborted release back, so that git does not go on saying what is not true.

A branch `revert/<env>/<model>/<version>` with one commit that restores the former release.yaml byte for byte, and the
evidence as its message. Nothing is proposed where main says something else by now, or where it was proposed before.
"""

from dataclasses import dataclass

from models.release import Release, read_release, release_path
from pipelines.gitstore import Store, open_store
from pipelines.revision import Revision


@dataclass(frozen=True)
class Revert:
    """A proposed revert, or why there is none.

    Attributes:
        branch: where it stands; empty where main needs none.
        title: its one line.
        reason: why nothing was pushed; empty where something was.
    """

    branch: str
    title: str
    reason: str


def branch_name(revision: Revision) -> str:
    """The branch that takes a release back; a further attempt has one of its own."""
    again = f"-{revision.attempt}" if revision.attempt > 1 else ""
    return f"revert/{revision.environment}/{revision.model}/{revision.version}{again}"


def push_revert(repo: str, revision: Revision, stable: Revision | None, evidence: str, base: str = "main") -> Revert:
    """Pushes the branch that restores what `base` said before.

    Args:
        repo: the remote.
        revision: what was aborted.
        stable: what serves; its release is restored, whatever else was tried in between.
        evidence: the report, Markdown.
    """
    path, branch = release_path(revision.environment, revision.model), branch_name(revision)
    with open_store(repo) as store:
        tip = store.resolve(f"refs/heads/{base}")
        text = store.read(tip, path) if tip else None
        if tip is None or text is None or not _is(read_release(text), revision):
            return Revert("", "", f"{base} does not say {revision} any more: nothing to take back")
        former = _former(store, tip, path, revision, stable)
        if former is None:
            return Revert("", "", f"{base} never said anything else of {revision.model}: nothing to go back to")
        title = _title(revision, read_release(former))
        if branch in store.branches("revert/"):
            return Revert(branch, title, f"{branch} is there already")
        commit = store.commit([tip], {path: former}, f"{title}\n\n{evidence}")
        store.publish([(f"refs/heads/{branch}", None, commit)])
    return Revert(branch, title, "")


def _former(store: Store, tip: str, path: str, revision: Revision, stable: Revision | None) -> str | None:
    """The text that said what serves now; where nothing serves, what was said last before the aborted release."""
    for commit in store.git("log", "--first-parent", "--format=%H", tip, "--", path).splitlines():
        text = store.read(commit, path)
        if text is None:
            continue
        release = read_release(text)
        if _is(release, stable) if stable is not None else not _is(release, revision):
            return text
    return None


def _is(release: Release, revision: Revision) -> bool:
    said = (release.version, release.digest, release.attempt)
    return said == (revision.version, revision.digest, str(revision.attempt))


def _title(revision: Revision, former: Release) -> str:
    back = f"to version {former.version}" if former.is_released else "to nothing released"
    return f"revert: {revision.model} in {revision.environment} {back}, version {revision.version} was aborted"
