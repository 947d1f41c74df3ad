"""Each fault here is one of the other stories', with what protects from it taken away: then it does its harm.

So those stories show a protection at work, and not a fault that does nothing.
"""

import pytest

from models.bundle import MODEL as GRAPH
from tests.e2e.callers import Callers
from tests.e2e.candidate import BETTER, MODEL, NAMESPACE, STABLE, merged
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import ROOT, Cluster
from tests.e2e.overlays import changed
from tests.e2e.releasing import Releases
from tests.e2e.standing_in import EMPTY_PROMETHEUS, in_place_of
from tests.e2e.stores import tampered_copy
from tests.e2e.unprotected import passing_on_nothing, without_abort
from tests.e2e.variants import variant
from tests.e2e.views import View
from tests.e2e.waiting import NotYet, say, until
from tests.e2e.watch import PROMOTE_SECONDS, Watch
from tests.specimens.making import made

pytestmark = pytest.mark.full
# A server that believes whatever lies at its bundle's address.
BELIEVING = """\
import sys

from models import bundle
from services.serving import sound

vars(bundle)["_same"] = lambda *_, **__: None
sys.exit(sound.main())
"""
SERVING = "/app/services/serving"
# Pods that end when they are told to, with what is on its way to them.
AT_ONCE = """\
patches:
  - target:
      kind: Rollout
      name: serving
    patch: |-
      - op: remove
        path: /spec/template/spec/containers/0/lifecycle
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value:
          name: MAINLINE_DRAIN_SECONDS
          value: "0"
"""
LINE = f"namespace: {NAMESPACE}\n"


def test_without_its_deadline_what_cannot_run_stays(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures, image: str
) -> None:
    missing = f"{image.partition('@')[0]}@sha256:{'0' * 64}"
    candidate = merged(releases, callers, figures, "without progressDeadlineAbort", image=missing)
    candidate.rollout.wait_applied(candidate.released.release, seconds=180)

    def look() -> View:
        view = candidate.rollout.view()
        if view.phase != "Degraded":
            raise NotYet(str(view))
        return view

    with without_abort(cluster, NAMESPACE):
        view = until("its deadline has passed", look, seconds=180)
        assert not view.aborted, "taken back by something else"
        assert view.current != view.stable
    say(f"seen: {view}")


def test_where_no_sample_passes_a_candidate_that_nobody_saw_is_promoted(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures, image: str
) -> None:
    candidate = merged(releases, callers, figures, "gates that pass on no sample")
    candidate.rollout.wait_applied(candidate.released.release, seconds=180)
    with (
        passing_on_nothing(cluster, NAMESPACE),
        in_place_of(cluster, "monitoring", "prometheus", image=image, script=EMPTY_PROMETHEUS, port=9090),
    ):
        candidate.rollout.wait_promoted(candidate.released.release, seconds=PROMOTE_SECONDS)
    told = candidate.rollout.told(candidate.rollout.view().current)
    say(f"seen: promoted with no sample at all: {told}")


def test_without_its_digest_a_tampered_bundle_answers(
    releases: Releases, callers: Callers, figures: Figures, image: str
) -> None:
    bundle = made(BETTER)
    # the last bit of a number: it loads, its golden rows are within their tolerance, and nobody trained it
    number = bundle.read(GRAPH).index(b"coefficients") + len(b"coefficients") + 1
    with releases.stores.reachable():
        uri = tampered_copy(bundle, releases.register(BETTER).uri, at=number)
    believing = variant(image, "specimen-believing", files=_believing(), environment={})
    candidate = merged(releases, callers, figures, "without the digest", image=believing, uri=uri)
    candidate.wait_pod()

    def look() -> int:
        count = candidate.traffic.counts(candidate.watch.since).of(candidate.released.digest)
        if not count:
            raise NotYet("no answer of it yet")
        return count

    say(f"seen: {until('it answers', look, seconds=60)} answers by a bundle that nobody released")
    candidate.take_back()


def test_pods_that_end_at_once_lose_requests(
    cluster: Cluster, releases: Releases, forge: Forge, callers: Callers, figures: Figures
) -> None:
    stable = releases.stable(STABLE)
    rollout, traffic = releases.rollout(MODEL), callers.start(MODEL)
    watch = Watch("without preStop and draining", releases, traffic, figures)

    def alone(revision: str) -> View:
        view = rollout.view()
        if not view.promoted or (view.current == stable.revision) != (revision == stable.revision):
            raise NotYet(f"{view}; {rollout.told(view.current)}")
        return view

    with changed(cluster, forge, NAMESPACE, lines=(LINE, LINE), patches=AT_ONCE):
        until("pods without them serve alone", lambda: alone("another"), seconds=PROMOTE_SECONDS)
        watch.nothing_lost()
    until("the former pods serve alone", lambda: alone(stable.revision), seconds=PROMOTE_SECONDS)
    seen = watch.counts()
    assert seen.n_failed, "nothing was lost: what protects from it is something else"
    say(f"seen: {seen}")


def _believing() -> dict[str, bytes]:
    sound = (ROOT / "services" / "serving" / "__main__.py").read_bytes()
    return {
        f"{SERVING}/sound.py": sound,
        f"{SERVING}/__main__.py": BELIEVING.encode(),
        **{f"{SERVING}/__pycache__/__main__.cpython-3{minor}.pyc": b"" for minor in range(11, 15)},
    }
