"""What a rollout in the cluster says of itself: phase, step, revisions, AnalysisRuns; and waiting for how it ends."""

import time

from models.release import Release
from pipelines.kube import ANALYSIS_RUN, ROLLOUT, Object
from tests.e2e.given import Cluster, is_ready
from tests.e2e.views import Run, View, run_of, said, told, view_of
from tests.e2e.waiting import NotYet, until

NAME = "serving"
OUTCOME = "mainline.dev/outcome"
HASH = "rollouts-pod-template-hash"
REPLICA_SET = ("apps/v1", "ReplicaSet")
TEMPLATE = ("argoproj.io/v1alpha1", "AnalysisTemplate")


class Rollout:
    """The Rollout of a model in an environment."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def view(self) -> View:
        """How it stands.

        Raises:
            NotYet: it is not there.
        """
        found = self.cluster.kube.get(ROLLOUT, NAME, self.namespace)
        if found is None:
            raise NotYet(f"no Rollout {NAME} in {self.namespace}")
        return view_of(found)

    def waits(self) -> bool:
        """Whether there is one, and it waits for a person."""
        found = self.cluster.kube.get(ROLLOUT, NAME, self.namespace)
        return found is not None and view_of(found).waits

    def wait_outcome(self, release: Release, ended: str, *, seconds: float) -> dict[str, str]:
        """The Rollout's annotations, once they tell how a release ended: completed or aborted."""

        def look() -> dict[str, str]:
            found = self.cluster.kube.get(ROLLOUT, NAME, self.namespace) or {"metadata": {}}
            told: dict[str, str] = found["metadata"].get("annotations", {})
            if told.get(OUTCOME) != f"version {release.version}, attempt {release.attempt}: {ended}":
                raise NotYet(f"{OUTCOME}: {told.get(OUTCOME)}")
            return told

        return until(f"{self.namespace} tells that {said(release)} {ended}", look, seconds=seconds)

    def runs(self, pod_hash: str) -> list[Run]:
        """The AnalysisRuns of a revision, oldest first."""
        templates = self.cluster.kube.list(TEMPLATE, self.namespace)
        metric_of = {m["name"]: each["metadata"]["name"] for each in templates for m in each["spec"]["metrics"]}
        found = self.cluster.kube.list(ANALYSIS_RUN, self.namespace, labels=f"{HASH}={pod_hash}")
        found.sort(key=lambda each: str(each["metadata"]["creationTimestamp"]))
        return [run_of(each, metric_of) for each in found]

    def attempt_of(self, pod_hash: str) -> str:
        """The attempt of a revision's release."""
        (found,) = self.cluster.kube.list(REPLICA_SET, self.namespace, labels=f"{HASH}={pod_hash}")
        return str(found["spec"]["template"]["metadata"]["annotations"]["mainline.dev/attempt"])

    def former_revision(self, release: Release) -> str:
        """The pod-template hash of a release that ran here before; empty where the cluster no longer knows it."""
        wanted = (release.version, release.digest, release.attempt, release.image)
        for each in self.cluster.kube.list(REPLICA_SET, self.namespace):
            template = each["spec"]["template"]
            told = template["metadata"].get("annotations", {})
            names = ("mainline.dev/version", "mainline.dev/digest", "mainline.dev/attempt")
            if (*(told.get(name) for name in names), template["spec"]["containers"][0]["image"]) == wanted:
                return str(each["metadata"]["labels"][HASH])
        return ""

    def pods(self, pod_hash: str) -> list[Object]:
        """The pods of a revision."""
        return self.cluster.pods(self.namespace, f"{HASH}={pod_hash}")

    def ready_pods(self, pod_hash: str) -> list[Object]:
        """Those of them that serve."""
        return [each for each in self.pods(pod_hash) if is_ready(each)]

    def wait_promoted(self, release: Release, *, seconds: float) -> View:
        """Until a release serves alone; an abort ends the waiting.

        Raises:
            AssertionError: aborted, paused for a person, or not in time.
        """

        def look() -> View:
            view = self._of(release)
            if view.aborted or view.phase == "Degraded":
                raise AssertionError(f"{self.namespace}: aborted: {view.message}; {self.told(view.current)}")
            if view.waits:
                raise AssertionError(f"{self.namespace}: waits for a person: {view.message}; {self.told(view.current)}")
            if not view.promoted:
                raise NotYet(f"{view}; {self.told(view.current)}")
            return view

        return until(f"{self.namespace} promotes {said(release)}", look, seconds=seconds)

    def wait_aborted(self, release: Release, *, seconds: float) -> tuple[View, Run | None]:
        """Until the rollout of a release is aborted; and the run that decided it, None where it was a deadline.

        Raises:
            AssertionError: promoted, or not in time.
        """

        def look() -> View:
            view = self._of(release)
            if view.promoted:
                raise AssertionError(f"{self.namespace}: promoted, and must not be: {view}")
            if view.waits:
                raise AssertionError(f"{self.namespace}: waits for a person: {view}; {self.told(view.current)}")
            if not view.aborted:
                raise NotYet(f"{view}; {self.told(view.current)}")
            return view

        view = until(f"{self.namespace} aborts {said(release)}", look, seconds=seconds)
        ended = [run for run in self.runs(view.current) if run.phase in ("Failed", "Error", "Inconclusive")]
        return view, (ended[-1] if ended else None)

    def wait_for_a_person(self, release: Release, *, seconds: float) -> View:
        """Until nothing more happens to a release without a person: no gate could say.

        Raises:
            AssertionError: promoted or aborted, or not in time.
        """

        def look() -> View:
            view = self._of(release)
            told = f"{view}; {self.told(view.current)}"
            assert not view.aborted, f"aborted, must wait for a person: {told}"
            assert not view.promoted, f"promoted, must wait for a person: {told}"
            if not view.waits:
                raise NotYet(told)
            return view

        return until(f"{self.namespace} waits for a person with {said(release)}", look, seconds=seconds)

    def wait_canary(self, release: Release, *, seconds: float) -> Object:
        """The first pod of a release that is ready."""

        def look() -> Object:
            view = self._of(release)
            ready = self.ready_pods(view.current)
            if not ready:
                raise NotYet(str(view))
            return ready[0]

        return until(f"{self.namespace} has a ready pod of {said(release)}", look, seconds=seconds, every=0.3)

    def wait_applied(self, release: Release, *, seconds: float) -> float:
        """When the controller was first seen to have a release as what is wanted, in seconds since 1970."""

        def look() -> float:
            self._of(release)
            return time.time()

        return until(f"{self.namespace} is told of {said(release)}", look, seconds=seconds, every=0.2)

    def wait_step(self, release: Release, step: int, *, seconds: float) -> View:
        """Until a release's canary is at a step, counted from 0, or beyond it."""

        def look() -> View:
            view = self._of(release)
            if view.step < step or view.current == view.stable:
                raise NotYet(str(view))
            return view

        return until(f"{self.namespace} at step {step}", look, seconds=seconds, every=0.5)

    def told(self, pod_hash: str) -> str:
        """A line of its AnalysisRuns."""
        return "; ".join(told(run) for run in self.runs(pod_hash)) or "no AnalysisRun"

    def _of(self, release: Release) -> View:
        view = self.view()
        if (view.digest, view.attempt) != (release.digest, release.attempt) or not view.observed:
            raise NotYet(f"{said(release)} is not yet applied: {view}")
        return view
