"""Removing any one gate lets a specimen through, or further than it came; in turn, each gate of both strategies."""

from typing import Any

from tests.specimens.removal import without

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


def test_a_gate_is_taken_out_and_the_others_stay() -> None:
    steps = without(STRATEGY, "latency")["canary"]["steps"]
    assert steps[:3] == STRATEGY["canary"]["steps"][:3]
    assert steps[3] == {"analysis": {"templates": [{"templateName": "saturation"}]}}


def test_what_is_then_empty_goes_too() -> None:
    assert without(STRATEGY, "enough-samples")["canary"]["steps"] == [
        each for each in STRATEGY["canary"]["steps"] if "enough-samples" not in str(each)
    ]
    assert "analysis" not in without(STRATEGY, "error-storm")["canary"]
