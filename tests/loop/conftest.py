"""A scratch origin with the real hook, and a clone of it, for each test."""

from pathlib import Path

import pytest

from tests.loop.loop import Loop


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop.prepare(tmp_path)
    for name, value in made.world.settings.items():
        monkeypatch.setenv(name, value)
    return made
