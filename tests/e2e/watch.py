"""A release on its way through a rollout, under traffic: what it did, how long it took, what callers saw."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.e2e.figures import Figures
from tests.e2e.releasing import PRODUCTION, Released, Releases
from tests.e2e.traffic import Counts, Traffic
from tests.e2e.views import Run, View
from tests.e2e.waiting import say

# A rollout's worst gate decides within this in the suite's windows.
ABORT_SECONDS = 300
PROMOTE_SECONDS = 420
RECOVERY_SECONDS = 180


@dataclass
class Watch:
    """Watches one release from its merge on; make it before the merge.

    Attributes:
        story: under which figures are noted.
        since: the second of the traffic at which it began.
    """

    story: str
    releases: Releases
    traffic: Traffic
    figures: Figures
    environment: str = PRODUCTION
    since: int = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.traffic.mark()

    def first_pod(self, released: Released) -> None:
        """Sees its first pod."""
        rollout = self.releases.rollout(released.release.model, self.environment)
        rollout.wait_canary(released.release, seconds=PROMOTE_SECONDS)
        self._note("merge_to_first_ready_canary_seconds", time.time() - released.merged.done)

    def promoted(self, released: Released) -> View:
        """Sees its promotion; no request may be lost in all that time."""
        rollout = self.releases.rollout(released.release.model, self.environment)
        view = rollout.wait_promoted(released.release, seconds=PROMOTE_SECONDS)
        self._note("merge_to_promoted_seconds", time.time() - released.merged.done)
        self.nothing_lost()
        return view

    def aborted(self, released: Released) -> tuple[View, Run | None]:
        """Sees its abort, and that the former revision serves alone afterwards."""
        rollout = self.releases.rollout(released.release.model, self.environment)
        view, run = rollout.wait_aborted(released.release, seconds=ABORT_SECONDS)
        self._note("merge_to_abort_seconds", time.time() - released.merged.done)
        return view, run

    def taken_back(self, released: Released, stable: Released, gates: Sequence[str]) -> None:
        """Merges the revert that was prepared with its evidence, and sees the former release alone again."""
        release = released.release
        again = f"-{release.attempt}" if release.attempt != "1" else ""
        branch = f"revert/{self.environment}/{release.model}/{release.version}{again}"
        request = self.releases.forge.wait_pull_request(branch, seconds=120)
        for gate in gates:
            assert gate in request.body, f"{branch}: the evidence does not name {gate}:\n{request.body}"
        rollout = self.releases.rollout(release.model, self.environment)
        told = rollout.wait_outcome(release, "aborted", seconds=30)
        assert told["mainline.dev/evidence"].startswith("s3://")
        merged = self.releases.forge.merge(request)
        restored = self.releases.current(release.model, self.environment)
        assert restored == stable.release, f"the revert does not restore the former release: {restored}"
        rollout.wait_promoted(stable.release, seconds=RECOVERY_SECONDS)
        self._note("revert_merge_to_healthy_seconds", time.time() - merged.done)

    def counts(self) -> Counts:
        """What callers saw since it began, noted."""
        self.traffic.settle()
        found = self.traffic.counts(self.since)
        self._note("requests_sent", found.sent)
        self._note("requests_failed", found.n_failed)
        say(f"{self.story}: {found}")
        return found

    def nothing_lost(self) -> Counts:
        """The same, and none of it failed."""
        found = self.counts()
        assert found.sent > 0, f"{self.story}: no request was sent"
        assert not found.n_failed, f"{self.story}: callers lost requests: {found}"
        return found

    def _note(self, name: str, value: float | int) -> None:
        self.figures.note(self.story, name, value)
