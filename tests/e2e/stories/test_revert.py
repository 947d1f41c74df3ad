"""A better model was promoted; a person reverts the merge. The former digest is back in seconds, by no step again."""

import time

import pytest

from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.releasing import Released, Releases
from tests.e2e.waiting import NotYet, until
from tests.e2e.watch import Watch

# From the revert's push: the webhook's workflow applies it, then each pod is replaced by a ready one.
REVERT_SECONDS = 180


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("diabetes", marks=pytest.mark.e2e, id="canary"),
        pytest.param("property", marks=pytest.mark.full, id="blue-green"),
    ],
)
def test_a_revert_is_back_without_steps(
    model: str, releases: Releases, forge: Forge, callers: Callers, figures: Figures
) -> None:
    promoted, stable = releases.promoted_over(f"{model}-stable", f"{model}-better")
    rollout = releases.rollout(model)
    traffic = callers.start(model)
    watch = Watch(f"revert {rollout.view().strategy}", releases, traffic, figures)
    traffic.settle()
    replayed = len(rollout.runs(stable.revision))

    reverted = Released(stable.release, forge.revert(promoted.merged.commit))
    applied = rollout.wait_applied(stable.release, seconds=REVERT_SECONDS)
    view = rollout.wait_promoted(stable.release, seconds=REVERT_SECONDS)

    def look() -> float:
        last = traffic.last_second_of(promoted.digest)
        if traffic.mark() < last + 5:
            raise NotYet(f"{promoted.digest[7:15]} answered {traffic.mark() - last} s ago")
        return traffic.at(last + 1)

    last = until(f"all answers are {stable.release.digest[7:15]}'s", look, seconds=60)
    figures.note(watch.story, "push_to_all_former_seconds", last - reverted.merged.done)
    figures.note(watch.story, "apply_to_all_former_seconds", last - applied)
    figures.note(watch.story, "push_to_healthy_seconds", time.time() - reverted.merged.done)
    assert view.current == stable.revision, "the revert is another pod template than the former one"
    assert len(rollout.runs(stable.revision)) == replayed, "the revert walked through gates again"
    watch.nothing_lost()
