"""With Traefik five percent are five percent, whatever the pods; nobody notices a promotion, an abort or a revert."""

import json

import pytest

from tests.e2e.callers import Callers, bodies
from tests.e2e.cluster_view import NAME, Rollout
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import Cluster
from tests.e2e.overlays import changed, component, wait_applied, with_part
from tests.e2e.releasing import Released, Releases
from tests.e2e.traffic import Traffic
from tests.e2e.waiting import NotYet, until
from tests.e2e.watch import Watch

pytestmark = pytest.mark.full
MODEL = "iris"
NAMESPACE = f"{MODEL}-production"
URL = f"http://{NAMESPACE}.mainline.internal/predict"
SERVICE = ("v1", "Service")
TRAEFIK_SERVICE = ("traefik.io/v1alpha1", "TraefikService")
# Enough that a share of 5 % is told from one of 4 or 6 by more than chance, if it were by chance.
REQUESTS = 3000
# Steps at which a person says how it goes on, so that a share can be counted.
STEPS = """\
patches:
  - target:
      kind: Rollout
      name: serving
    patch: |-
      - op: replace
        path: /spec/strategy/canary/steps
        value:
          - setWeight: 5
          - pause: {}
          - setWeight: 50
          - pause: {}
"""


def test_a_share_is_what_the_step_says(
    cluster: Cluster, releases: Releases, forge: Forge, callers: Callers, figures: Figures
) -> None:
    with_part(cluster, "traefik")
    direct = callers.start(MODEL)
    stable = releases.stable(f"{MODEL}-stable")
    direct.rate(0)
    rollout = releases.rollout(MODEL)
    behind = (component("canary"), component("canary") + component("traffic-traefik"))
    with changed(cluster, forge, NAMESPACE, lines=behind, patches=STEPS):
        router = cluster.kube.get(SERVICE, "traefik", "ingress")
        assert router is not None
        name = f"{MODEL}-by-traefik"
        traffic = callers.to(name, URL, bodies(MODEL), rate=100, at=router["spec"]["clusterIP"])
        watch = Watch("exact shares by Traefik", releases, traffic, figures)

        better = releases.merge(releases.register(f"{MODEL}-better"))
        rollout.wait_step(better.release, 1, seconds=300)
        first = _share(traffic, better)
        figures.note(watch.story, "of_5_percent_percent", 100 * first)
        # main is applied again while the canary is under way: the weights are Argo Rollouts'
        path = "models/iris/MODEL_CARD.md"
        text = (forge.clone / path).read_text(encoding="utf-8")
        wait_applied(cluster, forge.merge_files("e2e/card", "iris: a word", {path: f"{text}\n"}))
        assert _weights(cluster) == {"serving-stable": 95, "serving-canary": 5}
        _go_on(cluster, rollout)
        rollout.wait_step(better.release, 3, seconds=60)
        half = _share(traffic, better)
        figures.note(watch.story, "of_50_percent_percent", 100 * half)
        _go_on(cluster, rollout)
        rollout.wait_promoted(better.release, seconds=300)
        watch.nothing_lost()
        assert 0.045 <= first <= 0.055
        assert 0.49 <= half <= 0.51

        # taken back by git: its pods are known, no step again
        reverted = Released(stable.release, forge.revert(better.merged.commit))
        rollout.wait_promoted(stable.release, seconds=300)
        figures.note(watch.story, "revert_to_last_answer_seconds", _last(traffic, better) - reverted.merged.done)
        watch.nothing_lost()

        # aborted by a person: stable's pods are all there
        again = releases.merge(releases.register(f"{MODEL}-better"))
        rollout.wait_step(again.release, 1, seconds=300)
        _share(traffic, again)
        aborted = traffic.at(traffic.mark())
        _status(cluster, rollout, {"abort": True})
        rollout.wait_aborted(again.release, seconds=60)
        figures.note(watch.story, "abort_to_last_answer_seconds", _last(traffic, again) - aborted)
        watch.nothing_lost()
        forge.revert(again.merged.commit)
        rollout.wait_promoted(stable.release, seconds=300)
        callers.stop(name)


def _share(traffic: Traffic, canary: Released) -> float:
    """The canary's share of the next requests."""
    begin = traffic.mark() + 2  # the second in which the router was told is neither's

    def look() -> float:
        found = traffic.counts(begin)
        if sum(found.answered.values()) < REQUESTS:
            raise NotYet(f"{found.sent} of {REQUESTS} requests")
        return found.of(canary.digest) / sum(found.answered.values())

    return until("the canary's share", look, seconds=120, every=2)


def _last(traffic: Traffic, canary: Released) -> float:
    """When the canary answered last, once it has not for five seconds."""

    def look() -> float:
        last = traffic.last_second_of(canary.digest)
        if traffic.mark() < last + 5:
            raise NotYet(f"{traffic.mark() - last} s ago")
        return traffic.at(last + 1)

    return until(f"{canary.digest[7:15]} answers no more", look, seconds=60)


def _weights(cluster: Cluster) -> dict[str, int]:
    found = cluster.kube.get(TRAEFIK_SERVICE, "serving", NAMESPACE)
    assert found is not None
    return {each["name"]: each["weight"] for each in found["spec"]["weighted"]["services"]}


def _go_on(cluster: Cluster, rollout: Rollout) -> None:
    """What `kubectl argo rollouts promote` does at a pause."""
    _status(cluster, rollout, {"pauseConditions": None})


def _status(cluster: Cluster, rollout: Rollout, status: dict[str, object]) -> None:
    patch = json.dumps({"status": status})
    where = ("--namespace", rollout.namespace, "--subresource=status", "--type=merge")
    cluster.kubectl("patch", "rollout", NAME, *where, f"--patch={patch}")
