"""A better model, which answers differently, as was announced, goes through every step of its canary."""

import pytest

from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.releasing import Releases
from tests.e2e.watch import Watch

pytestmark = pytest.mark.full
MODEL = "iris"


def test_a_better_model_is_promoted(releases: Releases, callers: Callers, figures: Figures) -> None:
    stable = releases.stable(f"{MODEL}-stable")
    traffic = callers.start(MODEL)
    watch = Watch("better model", releases, traffic, figures)

    released = releases.merge(releases.register(f"{MODEL}-better"))
    view = watch.promoted(released)

    rollout = releases.rollout(MODEL)
    runs = rollout.runs(view.current)
    assert view.steps, "production's iris is no canary"
    assert len(runs) >= 4, f"a canary has a guard and three analyses, there are {[run.name for run in runs]}"
    assert {run.phase for run in runs} == {"Successful"}
    # from a quarter of the callers to all of them
    seen = watch.counts()
    assert seen.of(stable.digest) > 0
    assert seen.of(released.digest) > 0
    assert traffic.counts(traffic.mark() - 5).of(stable.digest) == 0
