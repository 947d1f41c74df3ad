"""Starts a server on one core, waits for its first right answer, and ends what was started, by its number."""

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.errors import MainlineError
from tests.bench import processes
from tests.bench.asking import Asker, NotServedError, WrongAnswerError, ask
from tests.bench.environments import ROOT
from tests.bench.estimators import Made
from tests.bench.targets import Command, Place, Target

LOGS = ROOT / "build" / "bench" / "logs"
_START_SECONDS = 120.0
_STEP_SECONDS = 0.005
# One thread for whatever computes in parallel: there is one core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# What the bench itself was started with and no server is: our sources on its path, or no compiled Python.
_NOT_FOR_SERVERS = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


class DidNotStartError(MainlineError):
    """A server ended, or gave no right answer in time."""


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        start_seconds: from the start of the process to its first right answer.
        scratch: the folder that it was given; gone once it has ended.
        log: what it wrote to its streams.
    """

    target: Target
    made: Made
    pid: int
    port: int
    start_seconds: float
    scratch: Path
    log: Path

    def processes(self) -> list[int]:
        """Its processes, now."""
        return processes.tree(self.pid)


@contextmanager
def started(target: Target, made: Made, python: Path, *, core: int) -> Iterator[Running]:
    """The server of a target for one model, ended at the end.

    Raises:
        DidNotStartError: no right answer within two minutes; its log tells why.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{target.name.replace(' ', '-').replace(',', '').lower()}-{made.name}.log"
    with ExitStack() as ending:
        scratch = Path(tempfile.mkdtemp(prefix="bench-"))
        ending.callback(shutil.rmtree, scratch, ignore_errors=True)
        place = Place(python, scratch, _free_ports())
        command = target.command(made, place)
        begun = time.perf_counter()
        process = _run(command, log, core)
        ending.callback(process.wait)
        ending.callback(processes.end, process.pid)
        _wait(process, target, made, place.port, begun, log)
        yield Running(target, made, process.pid, place.port, time.perf_counter() - begun, scratch, log)


def _run(command: Command, log: Path, core: int) -> "subprocess.Popen[bytes]":
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_SERVERS}
    with log.open("wb") as output:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *command.argv],
            cwd=command.folder, env={**inherited, **_ONE_THREAD, **command.environment},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip


def _wait(process: "subprocess.Popen[bytes]", target: Target, made: Made, port: int, begun: float, log: Path) -> None:
    reason = "no answer"
    while time.perf_counter() - begun < _START_SECONDS:
        if process.poll() is not None:
            raise DidNotStartError(f"{target.name} ended with {process.returncode}: see {log}")
        try:
            with Asker(port) as asker:
                ask(asker, target.ways[0], made, 0, 1)
        except (OSError, http.client.HTTPException, NotServedError, WrongAnswerError) as error:
            reason = str(error)  # not listening yet, or not ready yet
        else:
            return
        time.sleep(_STEP_SECONDS)
    raise DidNotStartError(f"{target.name} did not answer rightly in {_START_SECONDS:g} s: {reason}; see {log}")


def _free_ports() -> tuple[int, int, int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        first, second, third = (each.getsockname()[1] for each in sockets)
    return first, second, third
