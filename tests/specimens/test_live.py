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


def test_without_its_gate_a_specimen_is_promoted(tmp_path: Path) -> None:
    found = rehearsed(CASES["constant-answer-iris"], tmp_path, removed=["prediction-shift"])
    assert found.ending is Ending.PROMOTED, f"{found.gate}: {found.reason}"


def test_without_its_gate_what_callers_saw_fail_is_told_to_a_person(tmp_path: Path) -> None:
    """The simulated rollout is promoted: in a cluster nobody asks the callers."""
    found = rehearsed(CASES["error-in-fifty-diabetes"], tmp_path, removed=["error-ratio"])
    assert (found.ending, found.gate) == (Ending.PAUSED, ""), f"{found.gate}: {found.reason}"
    assert "every gate passed" in found.reason
