"""A version that was aborted must not slip back: restored after a newer one was promoted, it would skip its gates."""

import pytest

from models.release import Release, release_path, render_release
from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import Cluster
from tests.e2e.releasing import Releases
from tests.e2e.watch import Watch
from tests.e2e.workflow_view import Workflow

pytestmark = pytest.mark.full
MODEL = "diabetes"


def test_an_aborted_version_is_not_restored(
    cluster: Cluster, releases: Releases, forge: Forge, callers: Callers, figures: Figures
) -> None:
    # A is stable, B is aborted and taken back, C is promoted
    stable = releases.stable(f"{MODEL}-stable")
    traffic = callers.start(MODEL)
    watch = Watch("aborted, then restored", releases, traffic, figures)
    bad = releases.merge(releases.register(f"{MODEL}-constant"))
    _, run = watch.aborted(bad)
    assert run is not None
    watch.taken_back(bad, stable, run.templates)
    better = releases.merge(releases.register(f"{MODEL}-better"))
    promoted = watch.promoted(better)

    # B's release.yaml, byte for byte, is refused before the merge
    branch = _restored(forge, bad.release)
    refused = releases.mainline("check", "origin/main", f"origin/{branch}", exit_code=3)
    assert "its rollout was aborted" in refused

    # merged all the same, it is refused before its pods start: C serves on
    calm = traffic.mark()
    merged = forge.merge(forge.open_pull_request(branch, "release: an aborted version"))
    applied = Workflow(cluster, "delivery", f"apply-{merged.commit[:12]}").wait_ended(seconds=120)
    assert applied["status"]["phase"] == "Failed"
    assert releases.rollout(MODEL).view().current == promoted.current
    forge.revert(merged.commit)
    assert releases.current(MODEL) == better.release
    assert not traffic.counts(calm).of(bad.digest)
    watch.nothing_lost()


def _restored(forge: Forge, release: Release) -> str:
    branch = f"e2e/restored/{release.model}"
    forge.commit("restore it", {release_path("production", release.model): render_release(release)}, branch=branch)
    forge.push(branch)
    return branch
