"""The numbers that a suite measured, in build/e2e/figures.json; written at each: none is lost with a failure."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.given import ROOT
from tests.e2e.waiting import say

FOLDER = ROOT / "build" / "e2e"
Number = float | int | str


@dataclass
class Figures:
    """Numbers by story and name; names end in their unit."""

    path: Path = FOLDER / "figures.json"
    known: dict[str, dict[str, Number]] = field(default_factory=dict)

    def note(self, story: str, name: str, value: Number) -> None:
        """One number, printed too."""
        shown = round(value, 1) if isinstance(value, float) else value
        self.known.setdefault(story, {})[name] = shown
        say(f"figure: {story}: {name} = {shown}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_suffix(".tmp")
        aside.write_text(json.dumps(self.known, indent=2) + "\n", encoding="utf-8")
        os.replace(aside, self.path)
