"""Connections that nodes' kernels see, in each node's own network: what they have now, and each new one.

Nodes that are network namespaces of this machine (the source provider's) can be listened to; others cannot from here.
"""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAMESPACES = Path("/run/netns")
# The provider's names of them.
NODES = "mainline-n*"
_LOOK_SECONDS = 2.0
_TUPLE = re.compile(r"src=(\S+) dst=(\S+)(?: type=\d+ code=\d+ id=\d+)?(?: sport=(\d+) dport=(\d+))?")
_TIME = re.compile(r"^\[(\d+\.\d+)\]")


@dataclass(frozen=True)
class Connection:
    """Who asked whom: the target is the one that a Service's address was turned into."""

    source: str
    target: str
    port: int
    protocol: str


def why_not() -> str:
    """Why nothing can be listened to here; empty where it can."""
    if not any(NAMESPACES.glob(NODES)):
        return f"no node of the cluster is a network namespace of this machine ({NAMESPACES}/{NODES})"
    if shutil.which("conntrack") is None:
        return "conntrack is not installed"
    return "" if os.geteuid() == 0 else "only root may listen to a node's connections"


class Listening:
    """Listens to all nodes, also to those that come later, until it is ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._files = 0
        self._over = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Listens no more."""
        self._over.set()
        self._thread.join(_LOOK_SECONDS + 5)
        for process in self._running.values():
            process.terminate()
            process.wait(5)

    def heard(self) -> dict[Connection, list[float]]:
        """When each connection was made, once a minute at most; of one that was there before, when listening began."""
        found: dict[Connection, list[float]] = {}
        for path in sorted(self.folder.glob("*.txt")):
            for at, connection in parsed(path.read_text(encoding="utf-8", errors="replace"), path.stat().st_ctime):
                times = found.setdefault(connection, [])
                if not times or at - times[-1] > 60:
                    times.append(at)
        return found

    def _keep(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        for place in NAMESPACES.glob(NODES):
            known = self._running.get(place.name)
            if known is None or known.poll() is not None:
                self._running[place.name] = self._start(place)

    def _start(self, place: Path) -> subprocess.Popen[bytes]:
        self._files += 1
        path = self.folder / f"{place.name}-{self._files}.txt"
        inside = ["nsenter", f"--net={place}", "conntrack"]
        begun = time.time()
        with path.open("wb") as out:
            events = ["-E", "-e", "NEW", "-o", "timestamp", "-b", "8388608"]
            process = subprocess.Popen([*inside, *events], stdout=out, stderr=subprocess.DEVNULL)
        listed = subprocess.run([*inside, "-L"], capture_output=True, check=False).stdout.splitlines()
        # those that are open: the ends of others may be gone, and their addresses another pod's
        lines = [b"[%f] %s\n" % (begun, line) for line in listed if b" ESTABLISHED " in line]
        (self.folder / f"{place.name}-{self._files}-before.txt").write_bytes(b"".join(lines))
        return process


def parsed(text: str, otherwise: float) -> Iterator[tuple[float, Connection]]:
    """Time and connection of each of conntrack's lines; what has no port, and IPv6, is left out."""
    for line in text.splitlines():
        ends = _TUPLE.findall(line)
        if len(ends) != 2 or not ends[0][2] or ":" in ends[0][0]:
            continue
        (source, _, _, _), (target, _, port, _) = ends
        protocol = "UDP" if " udp " in f" {line} " else "TCP"
        said = _TIME.match(line)
        yield float(said[1]) if said else otherwise, Connection(source, target, int(port), protocol)
