"""A specimen through the rehearsal: `mainline rehearse` in its repository, with real servers, Prometheus and judge."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.specimens.catalogue import Case, Ending
from tests.specimens.repository import ENVIRONMENT, repository
from tests.specimens.windows import RATES, captured

# The walk may take two minutes; starting and ending take some ten seconds, three times that on a busy machine.
_PATIENCE_SECONDS = 180
_ENDINGS = {0: Ending.PROMOTED, 3: Ending.ABORTED, 4: Ending.PAUSED}


@dataclass(frozen=True)
class Rehearsed:
    """How a live case ended.

    Attributes:
        gate: the template that decided, `deadline`, or empty.
        seconds: of the whole command.
        record: rehearsal.json.
    """

    case: Case
    ending: Ending
    gate: str
    reason: str
    seconds: float
    record: Mapping[str, Any]

    @property
    def as_expected(self) -> bool:
        """Whether the table says so."""
        return self.ending is self.case.ending and (not self.case.gates or self.gate in self.case.gates)


def rehearsed(case: Case, folder: Path, *, removed: Sequence[str] = ()) -> Rehearsed:
    """Rehearses a case in a new folder, with some gates taken out of the strategies of both commits."""
    made = repository(case, folder, removed=removed)
    command = [
        sys.executable, "-m", "pipelines.cli", "rehearse", case.model, "--env", ENVIRONMENT, "--json",
        "--base", made.base, "--head", made.head,
        "--traffic", captured(case, folder), "--rate", f"{RATES[case.traffic]:g}",
    ]  # fmt: skip
    begun = time.monotonic()
    with (folder / "rehearse.log").open("w") as log:
        done = subprocess.run(
            command, cwd=made.root, env=_environment(folder), stdout=subprocess.PIPE, stderr=log, text=True,
            timeout=_PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    seconds = time.monotonic() - begun
    if done.returncode not in _ENDINGS or not done.stdout:
        raise AssertionError(f"{case}: exit code {done.returncode}: {(folder / 'rehearse.log').read_text()[-3000:]}")
    record = json.loads(done.stdout)
    gate = record["template"] or ("deadline" if "progressDeadline" in record["reason"] else "")
    assert record["ending"] == _ENDINGS[done.returncode].value
    return Rehearsed(case, _ENDINGS[done.returncode], gate, record["reason"], seconds, record)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAINLINE_", "PYTEST_"))}
    return kept | {"MAINLINE_HOME": str(folder / "state")}
