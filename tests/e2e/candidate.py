"""A candidate of iris that is merged over a good release, for the faults: what each of them does to it is its story."""

from dataclasses import dataclass, replace

from tests.e2e.callers import RATE, Callers
from tests.e2e.cluster_view import Rollout
from tests.e2e.figures import Figures
from tests.e2e.releasing import Released, Releases
from tests.e2e.traffic import Counts, Traffic
from tests.e2e.views import Run, View
from tests.e2e.watch import ABORT_SECONDS, PROMOTE_SECONDS, RECOVERY_SECONDS, Watch

MODEL = "iris"
NAMESPACE = f"{MODEL}-production"
STABLE, BETTER = f"{MODEL}-stable", f"{MODEL}-better"


@dataclass(frozen=True)
class Candidate:
    """One release on its way, with what was stable before it and the traffic that both get."""

    stable: Released
    released: Released
    rollout: Rollout
    watch: Watch
    traffic: Traffic

    def wait_pod(self) -> View:
        """Until its first pod serves."""
        self.rollout.wait_canary(self.released.release, seconds=PROMOTE_SECONDS)
        return self.rollout.view()

    def stopped(self) -> tuple[View, Run | None]:
        """Sees its abort, and that what was stable is."""
        view, run = self.watch.aborted(self.released)
        assert view.stable == self.stable.revision
        return view, run

    def wait_for_a_person(self) -> View:
        """Until nothing more happens without one: neither promoted nor aborted, for no gate could say."""
        return self.rollout.wait_for_a_person(self.released.release, seconds=ABORT_SECONDS)

    def take_back(self) -> None:
        """Reverts its merge, as a person does; until what was stable serves alone."""
        self.watch.releases.forge.revert(self.released.merged.commit)
        self.rollout.wait_promoted(self.stable.release, seconds=RECOVERY_SECONDS)

    def lost_at_most(self, most: float, *, pods: int, until_second: int, before: int | None = None) -> Counts:
        """What callers saw: no more requests failed than were under way to pods that ended without notice.

        Args:
            most: seconds within which callers must have heard of it.
            pods: how many of them ended.
            until_second: of the traffic; from there on none may fail.
            before: of the traffic; from there on what fails is not looked at here.
        """
        found = self.watch.counts()
        view = self.rollout.view()
        bound = most * RATE * pods / (view.replicas + 1)
        assert found.n_failed <= bound, f"more than the {bound:.0f} that were under way there: {found}"
        late = self.traffic.counts(until_second, before)
        assert not late.n_failed, f"callers still lose requests: {late}"
        return found


def merged(
    releases: Releases,
    callers: Callers,
    figures: Figures,
    story: str,
    *,
    recipe: str = BETTER,
    tampered: bool = False,
    over_an_abort: bool = False,
    **changed: str,
) -> Candidate:
    """Merges a recipe's bundle over the good release, which is promoted first where it is not.

    Args:
        story: under which figures are noted.
        over_an_abort: git may say what was aborted before it, since it is not taken back.
        changed: what its release.yaml says in place of what was registered: image, uri.
    """
    stable = releases.stable(STABLE, over_an_abort=over_an_abort)
    traffic = callers.start(MODEL)
    watch = Watch(story, releases, traffic, figures)
    release = releases.register(recipe, tampered=tampered)
    released = releases.merge(replace(release, **changed))
    return Candidate(stable, released, releases.rollout(MODEL), watch, traffic)
