"""Every specimen through the simulated world: it ends as the table says, by one of the gates that it names."""

import pytest

from tests.specimens.catalogue import Ending, cases
from tests.specimens.simulated import gate, outcome

pytestmark = pytest.mark.slow  # trains the bundles first
CASES = {str(case): case for case in cases() if case.ending is not Ending.REFUSED}


@pytest.mark.parametrize("name", CASES)
def test_ends_as_the_table_says(name: str) -> None:
    case = CASES[name]
    ended = outcome(case)
    assert ended.ending.value == case.ending.value, f"{gate(ended)}: {ended.reason}"
    assert not case.gates or gate(ended) in case.gates, ended.reason
    assert ended.reason
