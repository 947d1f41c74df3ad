"""Removing a gate lets a specimen through that it alone stops, or brings it further; each gate in turn."""

from dataclasses import replace
from typing import Any

import pytest

from pipelines.rehearsal.contract import Ending, Outcome
from tests.specimens.catalogue import cases
from tests.specimens.removal import without
from tests.specimens.simulated import gate, outcome

CASES = {str(case): case for case in cases()}
STRATEGY: dict[str, Any] = {
    "canary": {
        "maxSurge": 1,
        "analysis": {"templates": [{"templateName": "error-storm"}], "startingStep": 1},
        "steps": [
            {"setWeight": 25},
            {"pause": {}},
            {"analysis": {"templates": [{"templateName": "enough-samples"}]}},
            {"analysis": {"templates": [{"templateName": "latency"}, {"templateName": "saturation"}]}},
        ],
    }
}
# Each gate, and a specimen that no other stops.
ALONE = [
    ("error-ratio", "error-in-fifty-diabetes"),
    ("latency", "slow-iris"),
    ("error-ratio", "late-errors-property"),
    ("latency", "late-slow-property"),
    ("error-ratio", "later-errors-diabetes"),
    ("latency", "later-slow-iris"),
    ("error-ratio", "later-half-property"),
    ("latency", "later-slow-property"),
    ("saturation", "leaking-memory-diabetes"),
    ("saturation", "leaking-memory-property"),
    ("input-drift", "stale-model-diabetes"),
    ("input-drift", "stale-model-property"),
    ("prediction-shift", "constant-answer-diabetes"),
    ("prediction-shift", "constant-answer-iris"),
]


def test_a_gate_is_taken_out_and_the_others_stay() -> None:
    steps = without(STRATEGY, "latency")["canary"]["steps"]
    assert steps[:3] == STRATEGY["canary"]["steps"][:3]
    assert steps[3] == {"analysis": {"templates": [{"templateName": "saturation"}]}}


def test_what_is_then_empty_goes_too() -> None:
    assert without(STRATEGY, "enough-samples")["canary"]["steps"] == [
        each for each in STRATEGY["canary"]["steps"] if "enough-samples" not in str(each)
    ]
    assert "analysis" not in without(STRATEGY, "error-storm")["canary"]


@pytest.mark.slow
@pytest.mark.parametrize(("removed", "name"), ALONE)
def test_without_its_gate_a_specimen_is_promoted(removed: str, name: str) -> None:
    assert gate(outcome(CASES[name])) == removed
    assert outcome(CASES[name], removed=[removed]).ending is Ending.PROMOTED


@pytest.mark.slow
def test_without_the_guard_a_burst_of_errors_is_not_aborted_but_waits_half_an_hour_for_a_person() -> None:
    case = CASES["half-fails-iris"]
    guarded, unguarded = outcome(case), outcome(case, removed=["error-storm"])
    assert (guarded.ending, gate(guarded)) == (Ending.ABORTED, "error-storm")
    assert guarded.seconds < 120
    assert (unguarded.ending, gate(unguarded)) == (Ending.PAUSED, "enough-samples")
    assert unguarded.seconds > 1800


@pytest.mark.slow
@pytest.mark.parametrize("name", [str(case) for case in CASES.values() if case.gates == ("replay",)])
def test_without_the_replay_callers_meet_what_it_stops_before_the_switch(name: str) -> None:
    def reached(ended: Outcome) -> float:
        return max(event.share for event in ended.events)

    before, after = outcome(CASES[name]), outcome(CASES[name], removed=["replay"])
    assert (before.ending, gate(before), reached(before)) == (Ending.ABORTED, "replay", 0.0)
    assert (after.ending, reached(after)) == (Ending.ABORTED, 1.0)


@pytest.mark.slow
def test_without_any_minimum_of_samples_a_server_that_fails_later_is_promoted_before_it_does() -> None:
    """Samples are waited for in a step of its own, and by each gate. Either alone holds, both gone let it through."""
    case = replace(CASES["later-errors-diabetes"], traffic="quiet")
    assert gate(outcome(case)) == "enough-samples"
    assert outcome(case, removed=["enough-samples"]).ending is Ending.PAUSED
    assert gate(outcome(case, minimums=False)) == "enough-samples"
    assert outcome(case, removed=["enough-samples"], minimums=False).ending is Ending.PROMOTED
