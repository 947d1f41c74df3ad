"""How much traffic there is at a time: a mean, a slow wave, noise from quarter minute to quarter minute, bursts."""

import math
from dataclasses import dataclass

import numpy as np

_STEP_SECONDS = 15.0
_HISTORY = 0.8  # how much of the noise the next quarter minute keeps
_NOISE = 0.15
_BURST_CHANCE, _BURST_FACTOR = 0.01, 3.0
_WAVE_SECONDS, _WAVE = 1800.0, 0.3


@dataclass(frozen=True)
class Traffic:
    """What callers do.

    Attributes:
        rate: requests a second on average, 1 to 200 in the bench.
        rows_per_request: rows of one request on average.
        refused: share of requests that are the caller's fault.
        repeated: share of rows that were sent before.
    """

    rate: float
    rows_per_request: float = 1.0
    refused: float = 0.002
    repeated: float = 0.05


class Load:
    """The rate of requests over time, drawn as it is asked for."""

    def __init__(self, rate: float, chance: np.random.Generator) -> None:
        self._rate, self._chance = rate, chance
        self._phase = chance.uniform(0, 2 * math.pi)
        self._begin: float | None = None
        self._noise = 0.0
        self._factors: list[float] = []

    def expected(self, start: float, end: float) -> float:
        """How many requests are to be expected between two times; the first call begins time."""
        if self._begin is None:
            self._begin = start
        total, at = 0.0, start
        while at < end:
            index = int((at - self._begin) / _STEP_SECONDS + 1e-9)
            until = min(end, self._begin + (index + 1) * _STEP_SECONDS)
            total += self._factor(index) * (until - at)
            at = until
        return total * self._rate

    def _factor(self, index: int) -> float:
        while len(self._factors) <= index:
            wave = 1 + _WAVE * math.sin(self._phase + 2 * math.pi * len(self._factors) * _STEP_SECONDS / _WAVE_SECONDS)
            self._noise = _HISTORY * self._noise + self._chance.normal(0, _NOISE * math.sqrt(1 - _HISTORY**2))
            burst = _BURST_FACTOR if self._chance.random() < _BURST_CHANCE else 1.0
            self._factors.append(wave * math.exp(self._noise) * burst)
        return self._factors[index]
