"""A canary's pod is killed in the middle of a step: another one takes its place, and the candidate is judged by it."""

import pytest

from tests.e2e.breaking import kill
from tests.e2e.callers import Callers
from tests.e2e.candidate import merged
from tests.e2e.figures import Figures
from tests.e2e.given import Cluster
from tests.e2e.load import KEPT_SECONDS
from tests.e2e.releasing import Releases
from tests.e2e.watch import PROMOTE_SECONDS

pytestmark = pytest.mark.full
# Until every node has heard that a pod's address is no one's; and until no caller's kept connection leads there.
HEARD_SECONDS = 6
LEFT_SECONDS = HEARD_SECONDS + 2 * KEPT_SECONDS


def test_a_canary_outlives_its_pod(cluster: Cluster, releases: Releases, callers: Callers, figures: Figures) -> None:
    candidate = merged(releases, callers, figures, "canary's pod killed")
    candidate.wait_pod()
    # what it answered before is not counted: later, another pod's answers are too few for the suite's short windows
    view = candidate.rollout.wait_step(candidate.released.release, 1, seconds=60)
    (pod, *_) = candidate.rollout.ready_pods(view.current)
    assert view.stable == candidate.stable.revision
    killed = candidate.traffic.mark()
    kill(cluster, pod)
    candidate.rollout.wait_promoted(candidate.released.release, seconds=PROMOTE_SECONDS)
    assert pod["metadata"]["name"] not in {each["metadata"]["name"] for each in candidate.rollout.pods(view.current)}
    candidate.lost_at_most(HEARD_SECONDS, pods=1, until_second=killed + int(LEFT_SECONDS))
