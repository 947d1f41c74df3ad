"""A good model with too few requests to say so: nothing promotes it, its rollout waits for a person."""

import pytest

from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.releasing import Releases
from tests.e2e.watch import ABORT_SECONDS, RECOVERY_SECONDS, Watch
from tests.specimens.catalogue import Case, Ending, cases
from tests.specimens.windows import RATES

pytestmark = pytest.mark.full
QUIET = [case for case in cases() if case.ending is Ending.PAUSED]


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in QUIET])
def test_waits_for_a_person(case: Case, releases: Releases, callers: Callers, figures: Figures) -> None:
    stable = releases.stable(case.stable)
    traffic = callers.start(case.model, rate=RATES[case.traffic])
    watch = Watch(str(case), releases, traffic, figures)
    released = releases.merge(releases.register(case.candidate))
    rollout = releases.rollout(case.model)
    view = rollout.wait_for_a_person(released.release, seconds=ABORT_SECONDS)
    waiting = [run for run in rollout.runs(view.current) if run.phase == "Inconclusive"]
    assert {template for run in waiting for template in run.templates} <= set(case.gates)
    assert view.stable == stable.revision

    releases.forge.revert(released.merged.commit)
    rollout.wait_promoted(stable.release, seconds=RECOVERY_SECONDS)
    watch.nothing_lost()
