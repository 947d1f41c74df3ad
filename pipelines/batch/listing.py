"""What lies below a folder of this machine; what cannot be listed is named, and never silently left out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Found:
    """A file of a place, or a folder whose files cannot be told.

    Attributes:
        name: from there, with `/` between folders.
        size: in bytes; 0 where it cannot be told, and whoever reads the file is told why.
        problem: why what lies below the folder is not listed; empty for a file.
    """

    name: str
    size: int
    problem: str = ""


def listed(root: Path, below: str) -> Iterator[Found]:
    """Every file of a folder of `root`, in no order, and each folder that could not be looked into."""
    closed: list[OSError] = []
    for folder, folders, names in os.walk(root / below, onerror=closed.append):
        for path in (Path(folder) / name for name in names):
            yield Found(path.relative_to(root).as_posix(), _size(path))
        for path in (Path(folder) / name for name in folders):
            if path.is_symlink():
                problem = "is a link to a folder, which is not followed; give that folder itself as an input"
                yield Found(path.relative_to(root).as_posix(), 0, problem)
    for err in closed:
        if not isinstance(err, FileNotFoundError | NotADirectoryError):  # there is no folder, or no longer
            problem = f"cannot be listed ({err.strerror}); let this user read it"
            yield Found(Path(err.filename).relative_to(root).as_posix(), 0, problem)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
