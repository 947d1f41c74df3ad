"""On what was measured: the processor, the system, the versions of the servers; no name of the machine."""

import datetime as dt
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.environments import ROOT, lock_of
from tests.bench.targets import Target


def about(targets: Sequence[Target], now: dt.datetime) -> dict[str, object]:
    """What a reader needs to place the figures."""
    return {
        "date": now.date().isoformat(),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "processor": _line(Path("/proc/cpuinfo"), r"model name\s*: (.+)"),
        "cores": os.cpu_count(),
        "memory_gb": round(int(_line(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)") or 0) / 2**20),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {target.name: version(target) for target in targets},
    }


def version(target: Target) -> str:
    """The release of a server, as its lock pins it."""
    package = {"tutorial": "fastapi", "serving": "uvicorn"}.get(target.environment, target.environment)
    return f"{package} {_line(lock_of(target.environment), rf'{package}==([^ ;]+)')}"


def _line(path: Path, pattern: str) -> str:
    found = re.search(rf"^{pattern}", path.read_text(), re.MULTILINE)
    return found[1].strip() if found else ""


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
