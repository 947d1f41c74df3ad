"""Which commit an image is of: the last one that changed anything that its Dockerfile copies.

So a commit that changes nothing of it gives the same labels, and with them the same digest.
"""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.source import git

DIRTY = "-dirty"


def inputs(dockerfile: str) -> list[str]:
    """What a Dockerfile's text copies from the build's context."""
    found = []
    for line in dockerfile.splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not any(word.startswith("--from=") for word in words):
            found += [word for word in words[1:-1] if not word.startswith("--")]
    return found


def revision(root: Path, dockerfile: str) -> str:
    """The commit that an image is of, `-dirty` behind it where its files hold uncommitted changes.

    Args:
        root: the checkout.
        dockerfile: path within it.

    Returns:
        The full commit id; empty where the folder is no git repository, or no commit touched any of the files.
    """
    if not (root / ".git").exists():
        return ""
    paths = [dockerfile, ".dockerignore", *inputs((root / dockerfile).read_text(encoding="utf-8"))]
    # git's own * would match a slash
    specs = [f":(glob){path}" if "*" in path else path for path in paths]
    commit = git(root, "log", "-1", "--format=%H", "--", *specs)
    changed = git(root, "status", "--porcelain", "--", *specs)
    return f"{commit}{DIRTY}" if commit and changed else commit


def committed(root: Path, commit: str) -> str:
    """When a commit was made, in UTC as RFC 3339 writes it; empty for none, and for one with changes behind it."""
    if not commit or commit.endswith(DIRTY):
        return ""
    seconds = int(git(root, "show", "--no-patch", "--format=%ct", commit))
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def source_url(root: Path) -> str:
    """The address of `origin` without a user or password; empty where there is none, or it is no address."""
    if not (root / ".git").exists() or "origin" not in git(root, "remote").split():
        return ""
    parts = urlsplit(git(root, "remote", "get-url", "origin"))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
