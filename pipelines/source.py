"""The source tree as git sees it: where it begins, which commit it is, and a commit for what is not committed yet."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from models.errors import ConfigError


@dataclass(frozen=True)
class Source:
    """A commit to train. `dirty` says that it holds uncommitted changes, so that no release may come of it."""

    commit: str
    branch: str
    dirty: bool


def git(root: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """What `git -C root ...` prints, without its last newline.

    Raises:
        ConfigError: git refused; the message is git's own.
    """
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise ConfigError([f"git {' '.join(arguments)} in {root}: {done.stderr.strip()}"])
    return done.stdout.rstrip("\n")


def repository_root(start: Path) -> Path:
    """The checkout that `start` lies in.

    Raises:
        ConfigError: it lies in none, or the checkout is no Mainline repository.
    """
    root = Path(git(start, "rev-parse", "--show-toplevel"))
    if not (root / "data.dvc").is_file() or not (root / "models").is_dir():
        raise ConfigError([f"{root}: no Mainline repository (data.dvc and models/ are expected at its root)"])
    return root


def current_source(root: Path) -> Source:
    """The commit at hand; with uncommitted or untracked files, a commit that holds them and that no branch names."""
    branch = git(root, "rev-parse", "--abbrev-ref", "HEAD")
    head = git(root, "rev-parse", "HEAD")
    if not git(root, "status", "--porcelain"):
        return Source(commit=head, branch=branch, dirty=False)
    with tempfile.TemporaryDirectory() as folder:
        # an index of its own: the person's staging area stays as it is
        environment = {**os.environ, "GIT_INDEX_FILE": str(Path(folder) / "index")}
        git(root, "read-tree", "HEAD", environment=environment)
        git(root, "add", "--all", environment=environment)
        tree = git(root, "write-tree", environment=environment)
    # the head's own dates, so that the same changes make the same commit
    dates = git(root, "show", "-s", "--format=%cI", "HEAD")
    environment = {**os.environ, "GIT_AUTHOR_DATE": dates, "GIT_COMMITTER_DATE": dates}
    message = f"uncommitted changes on {head}"
    snapshot = git(root, "commit-tree", tree, "-p", head, "-m", message, environment=environment)
    return Source(commit=snapshot, branch=branch, dirty=True)
