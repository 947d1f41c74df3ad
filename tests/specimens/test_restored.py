"""An aborted version that is restored after a newer one: within `rollbackWindow` no gate is asked, so git refuses it.

The refusal itself is tested where the check is: tests/pipelines/test_check.py.
"""

import pytest

from pipelines.rehearsal.contract import Ending
from pipelines.rehearsal.machine import run
from pipelines.rehearsal.simulate.fleet import CANDIDATE, STABLE
from pipelines.rehearsal.simulate.world import HASHES, SimulatedWorld
from pipelines.rehearsal.template import templates_in
from tests.specimens.catalogue import cases
from tests.specimens.simulated import overlay, scenario

CASES = {str(case): case for case in cases()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["half-fails-iris", "error-in-fifty-property"])
def test_without_the_check_the_worst_version_would_be_restored_past_every_gate(name: str) -> None:
    built = overlay(CASES[name].model)
    (rollout,) = (each for each in built if each["kind"] == "Rollout")
    ended = run(
        rollout,
        templates_in(built),
        SimulatedWorld(scenario(CASES[name]), 3),
        candidate_hash=HASHES[CANDIDATE],
        stable_hash=HASHES[STABLE],
        replicas=3,
        restores=True,
    )
    assert ended.ending is Ending.PROMOTED
    assert ended.verdicts == {}
