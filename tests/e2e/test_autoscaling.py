"""Pods follow the requests, up and down, with a canary under way and main applied; no request is lost."""

import pytest

from pipelines.kube import ROLLOUT
from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import Cluster
from tests.e2e.overlays import changed, component, wait_applied, with_part
from tests.e2e.releasing import Releases
from tests.e2e.waiting import Clock, NotYet, until
from tests.e2e.watch import Watch

pytestmark = pytest.mark.full
MODEL = "iris"
NAMESPACE = f"{MODEL}-production"
AUTOSCALER = ("autoscaling/v2", "HorizontalPodAutoscaler")
LEAST = 3
# A fifth of the requests for which production has a pod, and seconds before pods go: what is shown is the same.
NUMBERS = """\
patches:
  - target:
      kind: ScaledObject
      name: serving
    patch: |-
      - op: replace
        path: /spec/triggers/0/metadata/threshold
        value: "20"
      - op: replace
        path: /spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleDown
        value:
          stabilizationWindowSeconds: 20
"""
QUIET, BUSY = 30.0, 120.0
BUSY_PODS = 6


def test_pods_follow_the_requests(
    cluster: Cluster, releases: Releases, forge: Forge, callers: Callers, figures: Figures
) -> None:
    with_part(cluster, "keda")
    traffic = callers.start(MODEL)
    releases.stable(f"{MODEL}-stable")
    traffic.rate(QUIET)
    with changed(cluster, forge, NAMESPACE, lines=(component("fixed-size"), ""), patches=NUMBERS):
        _wait_pods(cluster, LEAST, LEAST, "the autoscaler keeps its least", seconds=180)
        scalers = cluster.kube.list(AUTOSCALER, NAMESPACE)
        assert [each["spec"]["scaleTargetRef"]["kind"] for each in scalers] == ["Rollout"]
        watch = Watch("autoscaling", releases, traffic, figures)
        traffic.rate(BUSY)
        clock = Clock()
        better = releases.merge(releases.register(f"{MODEL}-better"))
        _wait_pods(cluster, BUSY_PODS, BUSY_PODS + 2, "pods for the load, with a canary under way", seconds=180)
        figures.note(watch.story, "load_to_pods_seconds", clock.seconds)
        path = f"models/{MODEL}/MODEL_CARD.md"
        text = (forge.clone / path).read_text(encoding="utf-8")
        wait_applied(cluster, forge.merge_files("e2e/card", f"{MODEL}: a word", {path: f"{text}\n"}))
        assert _wanted(cluster) >= BUSY_PODS, "git took the autoscaler's number back"
        releases.wait_promoted(better)
        watch.nothing_lost()
        assert _wanted(cluster) >= BUSY_PODS

        traffic.rate(QUIET)
        clock = Clock()
        _wait_pods(cluster, LEAST, LEAST, "pods go with the load", seconds=300)
        figures.note(watch.story, "calm_to_least_pods_seconds", clock.seconds)
        watch.nothing_lost()


def test_a_prometheus_that_is_away_changes_no_number(
    cluster: Cluster, releases: Releases, forge: Forge, callers: Callers
) -> None:
    with_part(cluster, "keda")
    traffic = callers.start(MODEL, rate=BUSY)
    if not releases.current(MODEL).is_released:
        releases.stable(f"{MODEL}-stable")
    with changed(cluster, forge, NAMESPACE, lines=(component("fixed-size"), ""), patches=NUMBERS):
        _wait_pods(cluster, BUSY_PODS, BUSY_PODS + 1, "pods for the load", seconds=180)
        cluster.kubectl("scale", "deployment/prometheus", "--namespace=monitoring", "--replicas=0")
        try:
            clock = Clock()

            def look() -> None:
                assert _wanted(cluster) >= BUSY_PODS, "pods were taken away without a measurement"
                # the autoscaler asks every 15 s, and would have taken pods away after 20
                if clock.seconds < 75:
                    raise NotYet(f"{_wanted(cluster)} pods after {clock.seconds:.0f} s")

            until("the number stays", look, seconds=90, every=3)
        finally:
            cluster.kubectl("scale", "deployment/prometheus", "--namespace=monitoring", "--replicas=1")
            cluster.kubectl("rollout", "status", "deployment/prometheus", "--namespace=monitoring", "--timeout=120s")
        traffic.rate(QUIET)


def _wanted(cluster: Cluster) -> int:
    found = cluster.kube.get(ROLLOUT, "serving", NAMESPACE)
    assert found is not None
    return int(found["spec"].get("replicas", 1))


def _wait_pods(cluster: Cluster, low: int, high: int, what: str, *, seconds: float) -> None:
    """Until so many are wanted and all of them are available."""

    def look() -> None:
        found = cluster.kube.get(ROLLOUT, "serving", NAMESPACE)
        status = (found or {}).get("status", {})
        wanted, available = _wanted(cluster), int(status.get("availableReplicas", 0))
        if not (low <= wanted <= high and low <= available):
            raise NotYet(f"{available} available of {wanted} wanted")

    until(what, look, seconds=seconds, every=2)
