"""The specimens and what must happen to each, as expected.yaml says; checked against what there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

EXPECTED = Path(__file__).parent / "expected.yaml"
BLUE_GREEN = ("property",)  # the models whose overlays choose it; all others roll out as canaries


class Ending(StrEnum):
    """How a specimen must end; refused: before anything is started."""

    PROMOTED = "promoted"
    ABORTED = "aborted"
    PAUSED = "paused"
    REFUSED = "refused"


Gate = Literal[
    "enough-samples", "error-ratio", "error-storm", "latency", "saturation", "input-drift", "prediction-shift",
    "replay", "deadline", "standing",
]  # fmt: skip
Traffic = Literal["usual", "quiet", "little", "drifted"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Case(_Strict):
    model: Literal["diabetes", "iris", "property"]
    stable: str = ""
    candidate: str = ""
    server: str = ""
    release: Literal["", "tampered", "aborted"] = ""
    traffic: Traffic = "usual"
    ending: Ending
    gates: tuple[Gate, ...] = ()
    live: bool = False


class _Specimen(_Strict):
    name: str
    story: str
    cases: Annotated[tuple[_Case, ...], Field(min_length=1)]


class _File(_Strict):
    specimens: tuple[_Specimen, ...]


@dataclass(frozen=True)
class Case:
    """One specimen under one strategy.

    Attributes:
        stable: recipe of the bundle that production runs.
        candidate: recipe of the one that is to be rolled out.
        server: fault of the candidate's server; empty for none.
        release: what is wrong with the release itself; empty for nothing.
        traffic: the window of requests.
        gates: the templates of which one must have decided; empty where it is promoted.
        live: whether the rehearsal shows it in CI.
    """

    specimen: str
    story: str
    model: str
    stable: str
    candidate: str
    server: str
    release: str
    traffic: Traffic
    ending: Ending
    gates: tuple[Gate, ...]
    live: bool

    @property
    def strategy(self) -> str:
        """canary or blue-green."""
        return "blue-green" if self.model in BLUE_GREEN else "canary"

    def __str__(self) -> str:
        return f"{self.specimen}-{self.model}"


def cases() -> tuple[Case, ...]:
    """Every case, in the file's order."""
    read = _File.model_validate(yaml.safe_load(EXPECTED.read_text(encoding="utf-8")))
    return tuple(_cases(read))


def _cases(read: _File) -> Iterator[Case]:
    for specimen in read.specimens:
        for case in specimen.cases:
            usual = f"{case.model}-stable"
            named = case.model_dump() | {"stable": case.stable or usual, "candidate": case.candidate or usual}
            yield Case(specimen=specimen.name, story=specimen.story, **named)
