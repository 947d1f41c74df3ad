"""Load from wrk: so many connections, each sending its next request when the last is answered (a closed loop).

A server that stalls is asked less meanwhile. wrk makes up for it in the percentiles: to each latency beyond the mean
it adds those of the requests that would have waited. In a load of two seconds the opening of 128 connections is thus in
the 99th percentile of any server on uvloop, which takes one new connection a turn. They compare servers under the same
connections; they are no promise of an arrival rate.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from models.errors import MainlineError

_SCRIPT = Path(__file__).with_name("post.lua")
_REQUEST_SECONDS = 10


class NoLoadError(MainlineError):
    """The load generator or its core is missing, or it did not say what it measured."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True)
class Load:
    """What one run of the generator saw.

    Attributes:
        requests: answers received, refusals among them.
        seconds: how long it sent.
        refused: answers with a status of 400 or more.
        broken: connections that failed, and requests without an answer in 10 s.
        p50, p95, p99: milliseconds.
    """

    requests: int
    seconds: float
    refused: int
    broken: int
    p50: float
    p95: float
    p99: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.requests - self.refused) / self.seconds

    @property
    def errors(self) -> int:
        """Requests that got no good answer."""
        return self.refused + self.broken


def require(program: str = "wrk") -> str:
    """The generator's path.

    Raises:
        NoLoadError: it is not installed, with what to do.
    """
    for needed in (program, "taskset"):
        if shutil.which(needed) is None:
            package = {"taskset": "util-linux"}.get(needed, needed)
            raise NoLoadError(
                f"{needed}: not found; the bench needs it, on Linux: install the package {package} "
                f"(Debian, Ubuntu: apt-get install {package})"
            )
    return program


def post(url: str, bodies: Path, headers: Mapping[str, str], *, connections: int, seconds: int, core: int) -> Load:
    """Posts a file's bodies (`bodies.write`) for so many seconds, from one core.

    Raises:
        NoLoadError: wrk ended without figures.
    """
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{_REQUEST_SECONDS}s", "-s", str(_SCRIPT)]
    given = [str(bodies), *(f"{name}={value}" for name, value in headers.items())]
    done = subprocess.run(
        ["taskset", "-c", str(core), *wrk, url, "--", *given],
        capture_output=True, text=True, timeout=seconds + 3 * _REQUEST_SECONDS, check=False,
    )  # fmt: skip
    return read(done.stdout, done.stderr)


def read(output: str, errors: str = "") -> Load:
    """What the generator printed.

    Raises:
        NoLoadError: the line of figures is not there.
    """
    found = re.search(r"^JSON (\{.*\})$", output, re.MULTILINE)
    if found is None:
        raise NoLoadError(f"wrk gave no figures: {(output + errors).strip()[-300:]}")
    told = json.loads(found[1])
    return Load(
        requests=told["requests"],
        seconds=told["microseconds"] / 1e6,
        refused=told["refused"],
        broken=told["broken"],
        p50=told["p50"] / 1e3,
        p95=told["p95"] / 1e3,
        p99=told["p99"] / 1e3,
    )
