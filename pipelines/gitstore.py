"""Commits made in a remote repository without a working tree. The forge's hands; nobody else calls it.

A `Store` is a throw-away bare repository beside the remote: objects are fetched into it, commits are built there with
plumbing, and one atomic push publishes them. Killed before that push, nothing of the remote has changed; a push that
has begun is in a session of its own, so that a kill of the caller's process group does not cut it in two.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.errors import MainlineError
from pipelines.forge_access import git_environment

# Proposals are made by the machine; who approves one is the author of its merge.
MACHINE = "mainline <mainline@localhost>"

_KEPT = (
    "GIT_ASKPASS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_EXEC_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
)


_BRANCHES = "+refs/heads/*:refs/heads/*"


class GitFailed(MainlineError):  # noqa: N818  (states what is so)
    """git refused or could not do something; its own words are in the message."""


class Outpaced(GitFailed):
    """The remote moved between reading and publishing; nothing was published, and trying again may succeed."""


@dataclass(frozen=True)
class Store:
    """A bare scratch repository that has `remote`'s branches under their own names."""

    folder: Path
    remote: str

    def git(self, *arguments: str, stdin: str | None = None, environment: Mapping[str, str] | None = None) -> str:
        """What a git command prints, stripped.

        Raises:
            GitFailed: it exits other than 0.
        """
        done = self._run(arguments, stdin=stdin, environment=environment)
        if done.returncode != 0:
            raise GitFailed(f"{self.remote}: git {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def resolve(self, name: str) -> str | None:
        """The commit of a ref or commit id; None where there is none."""
        done = self._run(["rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"])
        return done.stdout.strip() if done.returncode == 0 else None

    def branches(self, prefix: str) -> dict[str, str]:
        """Branch name to commit, for all whose name begins with `prefix`."""
        lines = self.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/").splitlines()
        pairs = [line.split(" ") for line in lines]
        return {name: commit for name, commit in pairs if name.startswith(prefix)}

    def read(self, commit: str, path: str) -> str | None:
        """A file's text at a commit, unchanged; None where the commit has no such file."""
        done = self._run(["cat-file", "blob", f"{commit}:{path}"])
        return done.stdout if done.returncode == 0 else None

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` comes after `older` in history; False where the remote does not know one of them."""
        return self._run(["merge-base", "--is-ancestor", older, newer]).returncode == 0

    def commit(self, parents: Sequence[str], files: Mapping[str, str], message: str, *, author: str = MACHINE) -> str:
        """A new commit: the tree of the first parent with `files` written over it.

        Args:
            parents: commits; the first one's tree is the start.
            files: path to text.
            message: taken as it is.
            author: `Name <address>`, who is also the committer.
        """
        index = {"GIT_INDEX_FILE": str(self.folder / "proposal-index")}
        self.git("read-tree", parents[0], environment=index)
        for path, text in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=text)
            self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=index)
        tree = self.git("write-tree", environment=index)
        name, _, address = author.removesuffix(">").rpartition(" <")
        parts = (("NAME", name), ("EMAIL", address))
        identity = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in parts}
        before = [word for parent in parents for word in ("-p", parent)]
        return self.git("commit-tree", tree, *before, "-F", "-", stdin=message.rstrip() + "\n", environment=identity)

    def deepen(self) -> None:
        """Brings the whole history of the branches, where only a recent part of it was fetched."""
        if (self.folder / "shallow").exists():
            self.git("fetch", "--quiet", "--unshallow", "--no-tags", "--no-write-fetch-head", self.remote, _BRANCHES)

    def fetch(self, commit: str) -> bool:
        """Brings a commit that no branch has any more; False where the remote does not give it."""
        return (
            self._run(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self.remote, commit]).returncode == 0
        )

    def publish(self, moves: Sequence[tuple[str, str | None, str | None]]) -> None:
        """Moves refs of the remote, all or none.

        Args:
            moves: (full ref name, commit that it must have now or None for "must not exist", commit that it gets or
                None to delete it).

        Raises:
            Outpaced: a ref is not where it must be.
            GitFailed: the push failed otherwise.
        """
        leases = [f"--force-with-lease={ref}:{old or ''}" for ref, old, _ in moves]
        specs = [f"{new or ''}:{ref}" for ref, _, new in moves]
        command = ["push", "--quiet", "--atomic", "--porcelain", *leases, self.remote, *specs]
        with (self.folder / "push.log").open("w+", encoding="utf-8") as log:
            # A file, not a pipe: the push outlives a caller that is killed, and a broken pipe would end it.
            done = subprocess.run(
                ["git", *command],
                cwd=self.folder,
                env=_environment(self.remote),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                check=False,
            )
            log.seek(0)
            said = log.read().strip()
        if done.returncode != 0:
            stale = any(word in said for word in ("stale info", "fetch first", "non-fast-forward", "cannot lock ref"))
            raise (Outpaced if stale else GitFailed)(f"{self.remote}: git push: {said}")

    def _run(
        self, arguments: Sequence[str], *, stdin: str | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=_environment(self.remote) | dict(environment or {}),
            input=(stdin or "").encode(),
            capture_output=True,
            check=False,
        )
        # Bytes, decoded here: text mode would turn \r\n into \n and a promotion would not be a copy.
        said = done.stderr.decode("utf-8", "replace")
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), said)


@contextmanager
def open_store(remote: str | Path, *, recent: int = 0) -> Iterator[Store]:
    """A store that has fetched the remote's branches; removed afterwards.

    Args:
        recent: fetches so many commits of each branch's history alone, which is much sooner; `Store.deepen` brings the
            rest. 0 for all.

    Raises:
        GitFailed: the remote is no repository, or cannot be reached.
    """
    address = str(remote)
    if os.path.isdir(address):
        address = os.path.abspath(address)
    with tempfile.TemporaryDirectory(prefix="mainline-forge-", ignore_cleanup_errors=True) as folder:
        store = Store(Path(folder), address)
        store.git("init", "--quiet", "--bare", ".")
        depth = [f"--depth={recent}"] if recent else []
        store.git("fetch", "--quiet", *depth, "--no-tags", "--no-write-fetch-head", address, _BRANCHES)
        yield store


def _environment(remote: str) -> dict[str, str]:
    """This process's environment, with the forge's account, without what would point a hook's git elsewhere."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key in _KEPT}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | git_environment(remote)
