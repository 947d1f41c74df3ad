"""A release that cannot run, for its image or its bundle is not what was released: taken back by its deadline."""

import time

import pytest

from tests.e2e.callers import Callers
from tests.e2e.candidate import Candidate, merged
from tests.e2e.figures import Figures
from tests.e2e.releasing import Releases
from tests.e2e.waiting import NotYet, until


@pytest.mark.e2e
def test_an_image_that_cannot_be_pulled(releases: Releases, callers: Callers, figures: Figures, image: str) -> None:
    missing = f"{image.partition('@')[0]}@sha256:{'0' * 64}"
    candidate = merged(releases, callers, figures, "image that cannot be pulled", image=missing)
    said = _why(candidate)
    _taken_back(candidate)
    assert said in ("ErrImagePull", "ImagePullBackOff")


@pytest.mark.full
def test_a_bundle_with_another_bit(releases: Releases, callers: Callers, figures: Figures) -> None:
    candidate = merged(releases, callers, figures, "tampered bundle", tampered=True)
    said = _why(candidate)
    _taken_back(candidate)
    assert said == "CrashLoopBackOff", "the server ends itself, and says why in its log"


def _why(candidate: Candidate) -> str:
    """What its pod waits for."""
    candidate.rollout.wait_applied(candidate.released.release, seconds=180)

    def look() -> str:
        pods = candidate.rollout.pods(candidate.rollout.view().current)
        states = [each["state"] for pod in pods for each in pod["status"].get("containerStatuses", [])]
        said = [state["waiting"].get("reason", "") for state in states if "waiting" in state]
        if not said or said[0] in ("", "ContainerCreating", "PodInitializing"):
            raise NotYet(f"its pods: {states or len(pods)}")
        return str(said[0])

    return until("its pod says what is wrong", look, seconds=120, every=0.5)


def _taken_back(candidate: Candidate) -> None:
    view, run = candidate.stopped()
    assert run is None, "no gate was asked"
    assert "timed out progressing" in view.message
    time.sleep(2)
    seen = candidate.watch.nothing_lost()
    assert not seen.of(candidate.released.digest)
