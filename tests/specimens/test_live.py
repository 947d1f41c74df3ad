"""Specimens shown by the rehearsal: real servers, a real Prometheus, the real judge; one after another (make live)."""

from pathlib import Path

import pytest

from tests.specimens.catalogue import Ending, cases
from tests.specimens.live import rehearsed

pytestmark = pytest.mark.live
CASES = {str(case): case for case in cases()}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.live])
def test_ends_as_the_table_says(name: str, tmp_path: Path) -> None:
    found = rehearsed(CASES[name], tmp_path)
    assert found.as_expected, f"{found.ending} by {found.gate}: {found.reason}"


@pytest.mark.parametrize(
    ("gate", "name"), [("prediction-shift", "constant-answer-iris"), ("error-ratio", "error-in-fifty-diabetes")]
)
def test_without_its_gate_a_specimen_is_promoted(gate: str, name: str, tmp_path: Path) -> None:
    found = rehearsed(CASES[name], tmp_path, removed=[gate])
    assert found.ending is Ending.PROMOTED, f"{found.gate}: {found.reason}"
