"""The scripts parse, and every version that they use is pinned in versions.env."""

import re
import subprocess
from pathlib import Path

import pytest

from pipelines.images.orders import ROOT
from pipelines.versions import read_versions

SCRIPTS = sorted(Path(__file__).parent.glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_parses(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_versions_are_pinned(script: Path) -> None:
    used = set(re.findall(r"\$\{?([A-Z0-9_]+_VERSION)\b", script.read_text(encoding="utf-8")))
    assert used <= set(read_versions(ROOT))


def test_nothing_is_swallowed() -> None:
    assert [path.name for path in SCRIPTS if "|| true" in path.read_text(encoding="utf-8")] == []
