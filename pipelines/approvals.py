"""Who let a digest into an environment, and when: read from the history of its release.yaml on the main line.

Only reads git. A merge counts for the person who merged (the approver), the commit that it brought in for its author.
"""

from dataclasses import dataclass
from pathlib import Path

from models.errors import ConfigError
from models.release import release_path
from pipelines.overlays import ENVIRONMENTS
from pipelines.source import git

_FIELDS = "%H%x1f%an <%ae>%x1f%cI%x1f%s%x1f%P"


@dataclass(frozen=True)
class Approval:
    """One entry of a digest into an environment.

    Attributes:
        environment: staging or production.
        commit: the commit on the main line (a merge, a revert) that put the digest there.
        approver: its author.
        at: its time, ISO 8601.
        subject: its first line.
        proposed_by: author of the commit that was merged; the approver's own name where it was no merge.
    """

    environment: str
    commit: str
    approver: str
    at: str
    subject: str
    proposed_by: str


def approvals(root: Path, model: str, digest: str, *, branch: str = "HEAD") -> list[Approval]:
    """Every entry of `digest` into an environment along `branch`'s first parents, latest first within each environment.

    Args:
        root: the checkout.
        model: name of the model.
        digest: "sha256:" and 64 hexadecimal digits.
        branch: where to look; the checkout's head.

    Returns:
        Empty where no environment ever ran the digest.
    """
    found = []
    for environment in ENVIRONMENTS:
        path = release_path(environment, model)
        # -S lists the commits that brought the digest and those that took it away
        listing = git(
            root,
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            "--no-patch",
            f"-S{digest}",
            f"--format={_FIELDS}",
            branch,
            "--",
            path,
        )
        for line in listing.splitlines():
            commit, approver, at, subject, parents = line.split("\x1f")
            if digest in git(root, "show", f"{commit}:{path}"):
                found.append(Approval(environment, commit, approver, at, subject, _proposer(root, parents, approver)))
    return found


def last_change(root: Path, environment: str, model: str, *, branch: str = "HEAD") -> Approval:
    """Who let in what the environment's release.yaml says: the version, its image, its attempt; whichever came last.

    Raises:
        ConfigError: the branch has no such file.
    """
    path = release_path(environment, model)
    line = git(root, "log", "-1", "--first-parent", "--diff-merges=first-parent", "--no-patch", f"--format={_FIELDS}",
               branch, "--", path)  # fmt: skip
    if not line:
        raise ConfigError([f"{path}: {branch} has no such file: commit it first"])
    commit, approver, at, subject, parents = line.split("\x1f")
    return Approval(environment, commit, approver, at, subject, _proposer(root, parents, approver))


def _proposer(root: Path, parents: str, approver: str) -> str:
    merged = parents.split()[1:]
    return git(root, "show", "-s", "--format=%an <%ae>", merged[0]) if merged else approver
