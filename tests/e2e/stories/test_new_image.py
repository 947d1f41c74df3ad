"""Another serving image for the same version: its own pull request, the same gates; a faulty one leaves the former."""

import json

import pytest

from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.releasing import PRODUCTION, Released, Releases
from tests.e2e.variants import variant
from tests.e2e.watch import Watch

pytestmark = pytest.mark.full
MODEL = "diabetes"
GATES = {"error-ratio", "latency-p99", "prediction-shift"}


def test_another_image_walks_through_the_gates(
    releases: Releases, forge: Forge, callers: Callers, figures: Figures
) -> None:
    stable = releases.stable(f"{MODEL}-stable")
    traffic = callers.start(MODEL)

    # a sound one is promoted, and an abort would have been possible at every gate
    watch = Watch("another image", releases, traffic, figures)
    sound = _proposed(releases, forge, variant(releases.image, "rebuilt", files={}, environment={"REBUILT": "yes"}))
    assert sound.digest == stable.digest
    view = watch.promoted(sound)
    assert view.current != stable.revision
    passed = {
        name
        for run in releases.rollout(MODEL).runs(view.current)
        for name, phase in run.metrics.items()
        if phase == "Successful"
    }
    assert passed >= GATES

    # a faulty one is stopped, and the revert that was prepared brings the former image of the same version back
    watch = Watch("another image, faulty", releases, traffic, figures)
    faulty = _proposed(releases, forge, releases.faulty("error-in-fifty"))
    aborted, run = watch.aborted(faulty)
    assert run is not None
    assert aborted.stable == view.current
    watch.taken_back(faulty, sound, run.templates)


def _proposed(releases: Releases, forge: Forge, image: str) -> Released:
    """Proposes an image by the command line, and merges what it proposed."""
    told = json.loads(releases.mainline("image", image, "--env", PRODUCTION, "--model", MODEL, "--json"))
    branch = told["proposals"][MODEL]["branch"]
    merged = forge.merge(forge.open_pull_request(branch, f"another image for {MODEL}"))
    release = releases.current(MODEL)
    assert release.image == image
    return Released(release, merged)
