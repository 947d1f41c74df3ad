"""What /proc tells of a server's processes and of the machine: CPU, memory, open files. Linux alone."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """A process, its descendants, and whatever else is in the session that it began; itself first."""
    parents: dict[int, tuple[int, int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1]), int(fields[3])
    found = [root] if root in parents else []
    found += [pid for pid, (_, session) in parents.items() if session == root and pid != root]
    for pid in found:  # grows as it goes
        found += [child for child, (parent, _) in parents.items() if parent == pid and child not in found]
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time that living processes used, user and system."""
    return sum((int(fields[11]) + int(fields[12])) / _TICK for pid in pids if (fields := _stat(pid)))


def busy_seconds() -> float:
    """CPU time that all cores together have spent on anything since the machine started."""
    fields = [int(value) for value in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICK


def memory_mb(pids: Sequence[int], field: str = "VmRSS") -> float:
    """Resident memory in 2**20 bytes; `RssAnon` leaves out what is mapped from files."""
    return sum(_status(pid, field) for pid in pids) / 1024


def threads(pid: int) -> int:
    """Threads of a process."""
    return _status(pid, "Threads")


def open_files(pid: int) -> int:
    """Open descriptors of a process, sockets among them."""
    return len(os.listdir(_PROC / str(pid) / "fd"))


def end(root: int, *, seconds: float = 15.0) -> None:
    """Ends a process and its tree: asked first, killed after so long."""
    pids = tree(root)
    _signal(pids[:1], signal.SIGTERM)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline and any(alive(pid) for pid in pids):
            time.sleep(0.05)
    finally:  # who is asked to end while waiting leaves nothing behind either
        _signal([pid for pid in {*pids, *tree(root)} if alive(pid)], signal.SIGKILL)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keeps this process on one core: what the bench does itself is not to disturb the server's."""
    former = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, former)


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none where the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _status(pid: int, field: str) -> int:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)
