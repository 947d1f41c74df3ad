"""Property rolls out blue-green: a preview that only its Service reaches, a gate before the switch and one after."""

import pytest

from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.given import Cluster
from tests.e2e.releasing import Releases
from tests.e2e.views import View
from tests.e2e.waiting import NotYet, until
from tests.e2e.watch import PROMOTE_SECONDS, Watch

pytestmark = pytest.mark.e2e
MODEL = "property"
NAMESPACE = f"{MODEL}-production"


def test_the_switch_is_gated_before_and_after(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures
) -> None:
    stable = releases.stable(f"{MODEL}-stable")
    traffic = callers.start(MODEL)
    watch = Watch("blue-green", releases, traffic, figures)
    released = releases.merge(releases.register(f"{MODEL}-better"))
    rollout = releases.rollout(MODEL)

    # before the switch: the preview is there, its Service reaches it, and no caller does
    watch.first_pod(released)
    shown = cluster.call(NAMESPACE, "services/serving-preview:http", "metadata")
    assert shown["digest"] == released.digest
    before = rollout.view()
    assert (before.active, before.preview) == (stable.revision, before.current)

    def switching() -> View:
        view = rollout.view()
        assert not view.aborted, f"{view}; {rollout.told(view.current)}"
        if view.active != before.current:
            # the Service moves first, the answers after it: what is counted by now came before
            assert not traffic.counts(watch.since).of(released.digest), "callers reached the preview before the switch"
            raise NotYet(f"{view}; {rollout.told(view.current)}")
        return view

    until(f"{NAMESPACE} switches", switching, seconds=PROMOTE_SECONDS)
    gate = rollout.runs(before.current)[0]
    assert gate.name.endswith("-pre")
    assert (gate.phase, set(gate.metrics)) == ("Successful", {"replay"})

    # after it: the former pods stay, ready, for as long as the gate runs
    def gated() -> View:
        view, kept = rollout.view(), len(rollout.ready_pods(stable.revision))
        assert not view.aborted, f"{view}; {rollout.told(view.current)}"
        if view.stable == stable.revision:
            assert kept == len(rollout.ready_pods(before.current)), f"only {kept} former pods are kept; {view}"
            raise NotYet(f"{view}; {rollout.told(view.current)}")
        return view

    until(f"{NAMESPACE} watches on", gated, seconds=PROMOTE_SECONDS)
    watch.promoted(released)
    after = [run for run in rollout.runs(before.current) if run.name != gate.name]
    assert [(run.name.endswith("-post"), run.phase) for run in after] == [(True, "Successful")]
    assert len(after[0].metrics) > 1
