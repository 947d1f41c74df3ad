"""A better model answers differently, as was announced: every gate passes, in this world and in one that moved."""

import pytest

from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.releasing import Releases
from tests.e2e.watch import Watch
from tests.specimens.catalogue import Case, Ending, cases
from tests.specimens.windows import DRIFT, RATES

pytestmark = pytest.mark.full
# Those with a bundle of their own: the same one again is the same version to a registry.
GOOD = [case for case in cases() if case.ending is Ending.PROMOTED and case.candidate != case.stable]


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in GOOD])
def test_is_promoted(case: Case, releases: Releases, callers: Callers, figures: Figures) -> None:
    stable = releases.stable(case.stable)
    drift = DRIFT if case.traffic == "drifted" else 0.0
    traffic = callers.start(case.model, rate=RATES[case.traffic], drift=drift)
    watch = Watch(str(case), releases, traffic, figures)

    released = releases.merge(releases.register(case.candidate))
    watch.first_pod(released)
    view = watch.promoted(released)

    # a canary: the guard and three analyses; blue-green: one before the switch and one after
    runs = releases.rollout(case.model).runs(view.current)
    assert len(runs) == (4 if case.strategy == "canary" else 2), [run.name for run in runs]
    assert {run.phase for run in runs} == {"Successful"}
    traffic.rid_of(stable.digest)
    assert traffic.counts(traffic.mark() - 3).of(released.digest) > 0

    # and back, for the stories that follow
    releases.forge.revert(released.merged.commit)
    releases.rollout(case.model).wait_promoted(stable.release, seconds=180)
    watch.nothing_lost()
