"""What is wrong with the gates themselves never lets a version through that nobody has judged."""

import pytest

from pipelines.rehearsal.contract import Ending
from pipelines.rehearsal.simulate.scenario import Faults
from tests.specimens.catalogue import cases
from tests.specimens.simulated import gate, outcome

pytestmark = pytest.mark.slow  # trains the bundles first
CASES = {str(case): case for case in cases()}
GOOD = ("better-model-diabetes", "better-model-property")
BAD = ("half-fails-iris", "error-in-fifty-diabetes", "slow-iris")
BLIND = {
    "Prometheus down": Faults(prometheus_down=True),
    "judge down": Faults(judge_down=True),
    "judge slow": Faults(judge_slow=True),
    "capture store empty": Faults(capture_empty=True),
}
MISLED = {
    "former pods answer": Faults(former_pods=True),
    "pods' clocks two minutes ahead": Faults(skew_seconds=120),
    "pods' clocks two minutes behind": Faults(skew_seconds=-120),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("fault", BLIND)
def test_a_missing_signal_promotes_nothing_and_says_which(fault: str, name: str) -> None:
    ended = outcome(CASES[name], faults=BLIND[fault])
    assert ended.ending is not Ending.PROMOTED
    assert gate(ended) in {"enough-samples", "input-drift", "replay"}
    assert ended.reason


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("fault", [*BLIND, *MISLED])
def test_a_bad_server_is_stopped_whatever_the_gates_suffer_from(fault: str, name: str) -> None:
    ended = outcome(CASES[name], faults=(BLIND | MISLED)[fault])
    assert ended.ending is Ending.ABORTED
    if fault != "Prometheus down":
        assert gate(ended) in CASES[name].gates


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("fault", MISLED)
def test_a_good_one_is_promoted_all_the_same(fault: str, name: str) -> None:
    assert outcome(CASES[name], faults=MISLED[fault]).ending is Ending.PROMOTED
