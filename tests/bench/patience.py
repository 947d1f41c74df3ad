"""Waiting for a quiet machine and taking again what was disturbed, but for so long in all: some are never quiet."""

import time
from dataclasses import dataclass

from tests.bench import processes

_LOOK_SECONDS = 0.4


@dataclass
class Patience:
    """How much there is left of it.

    Attributes:
        seconds: what may yet be spent on waiting and on cells that are taken again.
        at_once: longest single wait.
        most_other: cores that others may use before the machine is not quiet.
    """

    seconds: float
    at_once: float = 20.0
    most_other: float = 0.2

    @property
    def left(self) -> bool:
        """Whether there is any."""
        return self.seconds > 0

    def wait(self) -> bool:
        """Waits until others leave the machine alone; whether they did before this wait, or all patience, ended."""
        began = time.monotonic()
        deadline = began + min(self.at_once, self.seconds)
        found = False
        while not found and time.monotonic() < deadline:
            busy, looked = processes.busy_seconds(), time.monotonic()
            time.sleep(_LOOK_SECONDS)
            found = (processes.busy_seconds() - busy) / (time.monotonic() - looked) < self.most_other
        self.spend(time.monotonic() - began)
        return found

    def spend(self, seconds: float) -> None:
        """Takes from what is left."""
        self.seconds -= seconds
