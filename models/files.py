"""Files that are there whole or not at all, whenever the process is killed. Used by `bundle` and `store`."""

import errno
import os
import shutil
import tempfile
from pathlib import Path


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def move_into_place(temporary: Path, folder: Path) -> None:
    """Rename the folder `temporary` to its sibling `folder`, in place of what may stand there."""
    temporary.chmod(0o755)  # mkdtemp made it private; the server runs as another user
    try:
        os.replace(temporary, folder)
    except OSError as err:
        if err.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        former = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".old", dir=folder.parent))
        os.replace(folder, former)  # a kill between the two leaves no bundle, never half of one
        os.replace(temporary, folder)
        shutil.rmtree(former)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
