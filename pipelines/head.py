"""A branch of the forge as files: what `apply` builds and sends."""

from pathlib import Path

from models.errors import ConfigError
from pipelines.gitstore import Store


def checked_out(store: Store, branch: str) -> Path:
    """The branch's files, with its history.

    Raises:
        ConfigError: the repository has no such branch.
    """
    if store.resolve(f"refs/heads/{branch}") is None:
        known = ", ".join(store.branches("")) or "none"
        raise ConfigError([f"{store.remote}: has no branch {branch!r}; it has {known}"])
    folder = store.folder / "tree"
    store.git("worktree", "add", "--quiet", "--detach", str(folder), f"refs/heads/{branch}")
    return folder


def overlays(store: Store, root: Path) -> list[tuple[str, str]]:
    """Environment and model of every overlay; those that the last commit released come first: somebody waits."""
    commit = store.git("-C", str(root), "log", "-1", "-m", "--first-parent", "--name-only", "--format=")
    paths = [path.relative_to(root) for path in root.glob("kustomize/overlays/*/*/release.yaml")]
    paths.sort(key=lambda path: (str(path) not in commit.splitlines(), str(path)))
    return [(path.parent.parent.name, path.parent.name) for path in paths]
