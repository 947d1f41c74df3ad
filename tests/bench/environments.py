"""The environments that servers are measured in: a venv each, from a hashed lock, under build/bench/venvs.

What a lock names is installed and nothing else, by uv, which links files from its cache: several environments with the
same scikit-learn take its place once. Ours is then what our image has: without what a server never loads.
`python -m tests.bench locks` compiles the peers' locks anew.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipelines.images import unused

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "bench" / "venvs"
PEERS = Path(__file__).resolve().parent / "peers"
SERVING = "serving"


def lock_of(name: str) -> Path:
    """The hashed requirements of an environment: our image's, or a peer's."""
    return ROOT / "requirements" / "serving.txt" if name == SERVING else PEERS / name / "requirements.txt"


def python_of(name: str) -> Path:
    """The interpreter of an environment that is installed."""
    return KEPT / name / "bin" / "python"


def installed(name: str) -> bool:
    """Whether the environment is there, as its lock says."""
    return _mark(name).exists() and _mark(name).read_text() == _digest(name)


def install(name: str) -> Path:
    """The interpreter of an environment, put in place where it is not there yet.

    Raises:
        subprocess.CalledProcessError: uv could not install what the lock names.
        ValueError: ours has nothing of something that is to be taken out.
    """
    if not installed(name):
        folder = KEPT / name
        shutil.rmtree(folder, ignore_errors=True)
        print(f"installing {lock_of(name).relative_to(ROOT)} into {folder.relative_to(ROOT)}", flush=True)
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _uv(
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--python",
            str(folder),
            "--requirement",
            str(lock_of(name)),
        )
        if name == SERVING:
            (packages,) = folder.glob("lib/python3.*/site-packages")
            unused.remove(packages)
        _mark(name).write_text(_digest(name))
    return python_of(name)


def compile_lock(name: str) -> Path:
    """Writes a peer's requirements.txt from its requirements.in; the former one is preferred where it still holds."""
    lock = lock_of(name)
    flags = ("--quiet", "--no-header", "--no-annotate", "--universal", "--generate-hashes", "--python-version", "3.11")
    _uv("pip", "compile", *flags, str(lock.with_suffix(".in")), "--output-file", str(lock))
    return lock


def megabytes(folder: Path) -> float:
    """What a folder takes on the disk, in blocks of 2**20 bytes, without compiled Python, links to it counted once."""
    seen: dict[tuple[int, int], int] = {}
    for directory, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each != "__pycache__"]
        for name in (*files, *folders):
            if not name.endswith(".pyc"):
                found = os.lstat(os.path.join(directory, name))
                seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values()) / 2**20


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True)


def _mark(name: str) -> Path:
    return KEPT / name / ".installed"


def _digest(name: str) -> str:
    """Of all that an environment is made by."""
    taken_out = Path(unused.__file__).read_bytes() if name == SERVING else b""
    return hashlib.sha256(lock_of(name).read_bytes() + taken_out).hexdigest()
