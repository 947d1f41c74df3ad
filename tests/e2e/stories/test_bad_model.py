"""A bad model, server or release is merged; the gate that the table names stops it, and the stable one serves on.

Each is made as tests/specimens makes it and released as any other: the cluster's own controllers, Prometheus and judge
decide.
"""

import time

import pytest

from tests.e2e.bad_releases import bad_release, loses_requests
from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.releasing import Releases
from tests.e2e.waiting import say
from tests.e2e.watch import Watch
from tests.specimens.catalogue import Case, Ending, cases
from tests.specimens.windows import RATES

# One for each gate that can close, on the strategy where it is quickest.
SELECTED = (
    "constant-answer-diabetes", "stale-model-diabetes", "error-in-fifty-diabetes", "tampered-bundle-diabetes",
    "slow-iris", "rare-category-property",
)  # fmt: skip
# After these the revert that was prepared is merged; the others leave it, and the next release comes over an abort.
TAKEN_BACK = ("constant-answer-diabetes", "rare-category-property")
STOPPED = [case for case in cases() if case.ending is Ending.ABORTED]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=pytest.mark.e2e if str(case) in SELECTED else pytest.mark.full)
        for case in STOPPED
    ],
)
def test_is_stopped_by_its_gate(case: Case, releases: Releases, callers: Callers, figures: Figures) -> None:
    stable = releases.stable(case.stable, over_an_abort=str(case) not in TAKEN_BACK)
    traffic = callers.start(case.model, rate=RATES[case.traffic])
    watch = Watch(f"stopped {case}", releases, traffic, figures)

    released = releases.merge(bad_release(releases, case))
    view, run = watch.aborted(released)
    decided = run.templates if run else ("deadline",) if "timed out progressing" in view.message else ()
    say(f"{case}: stopped by {', '.join(decided)}: {view.message}")
    assert set(decided) & set(case.gates), f"stopped by {decided}, must be by one of {case.gates}: {view.message}"
    assert view.stable == stable.revision
    figures.note(watch.story, "gate", ", ".join(decided))

    # callers are rid of it within seconds; who was not on the candidate lost nothing, behind a preview that is nobody
    ended = time.time()
    last = traffic.rid_of(released.digest)
    figures.note(watch.story, "abort_to_last_answer_seconds", max(0.0, traffic.at(last + 1) - ended))
    seen = watch.counts()
    met = decided != ("replay",) if case.strategy == "blue-green" else True
    assert not seen.n_failed or (met and loses_requests(case)), f"callers lost requests: {seen}"
    late = traffic.counts(last + 2)
    assert not late.n_failed, f"callers lose requests after the last answer of the candidate: {late}"
    if str(case) in TAKEN_BACK:
        watch.taken_back(released, stable, decided)
