"""What a rollout in the cluster says of itself: phase, step, revisions, AnalysisRuns; and waiting for how it ends."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.kube import ANALYSIS_RUN, ROLLOUT, Object
from tests.e2e.given import Cluster, is_ready
from tests.e2e.waiting import NotYet, until

NAME = "serving"
HASH = "rollouts-pod-template-hash"
TEMPLATE = ("argoproj.io/v1alpha1", "AnalysisTemplate")


@dataclass(frozen=True)
class Run:
    """An AnalysisRun.

    Attributes:
        phase: Pending, Running, Successful, Failed, Error or Inconclusive.
        metrics: phase by name of the metric.
        deciding: the metrics that ended it otherwise than well.
        templates: the AnalysisTemplates that those metrics are of.
    """

    name: str
    phase: str
    message: str
    metrics: dict[str, str]
    deciding: tuple[str, ...]
    templates: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """A Rollout at one moment.

    Attributes:
        phase: Healthy, Progressing, Paused or Degraded.
        digest: of the bundle that the pod template names.
        current: pod-template hash of the newest revision, the canary's while there is one.
        stable: pod-template hash of the one that was promoted last.
        active: the one that a blue-green's callers reach; empty for a canary.
        step: index of the canary's step, from 0.
        steps: number of them.
        observed: whether the controller has looked at what was applied last.
    """

    namespace: str
    phase: str
    message: str
    version: str
    digest: str
    attempt: str
    current: str
    stable: str
    active: str
    step: int
    steps: int
    aborted: bool
    observed: bool
    replicas: int
    ready: int

    def __str__(self) -> str:
        step = f", step {self.step} of {self.steps}" if self.steps and self.current != self.stable else ""
        what = f"version {self.version} {self.digest[7:15]}, {self.current} over {self.stable or 'nothing'}"
        return f"{self.phase}{step}, {what}, {self.ready} of {self.replicas} ready {self.message[:120]}".rstrip()

    @property
    def promoted(self) -> bool:
        """Whether what was applied last serves alone."""
        return self.observed and self.phase == "Healthy" and self.stable == self.current


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
        return _view(found)

    def runs(self, pod_hash: str) -> list[Run]:
        """The AnalysisRuns of a revision, oldest first."""
        templates = self.cluster.kube.list(TEMPLATE, self.namespace)
        metric_of = {m["name"]: each["metadata"]["name"] for each in templates for m in each["spec"]["metrics"]}
        found = self.cluster.kube.list(ANALYSIS_RUN, self.namespace, labels=f"{HASH}={pod_hash}")
        found.sort(key=lambda each: str(each["metadata"]["creationTimestamp"]))
        return [_run(each, metric_of) for each in found]

    def pods(self, pod_hash: str) -> list[Object]:
        """The pods of a revision."""
        return self.cluster.pods(self.namespace, f"{HASH}={pod_hash}")

    def ready_pods(self, pod_hash: str) -> list[Object]:
        """Those of them that serve."""
        return [each for each in self.pods(pod_hash) if is_ready(each)]

    def wait_promoted(self, digest: str, *, seconds: float) -> View:
        """Until a digest serves alone; an abort ends the waiting.

        Raises:
            AssertionError: aborted, paused for a person, or not in time.
        """

        def look() -> View:
            view = self._of(digest)
            if view.aborted or view.phase == "Degraded":
                raise AssertionError(f"{self.namespace}: aborted: {view.message}; {self.told(view.current)}")
            if "Inconclusive" in view.message:
                raise AssertionError(f"{self.namespace}: waits for a person: {view.message}; {self.told(view.current)}")
            if not view.promoted:
                raise NotYet(f"{view}; {self.told(view.current)}")
            return view

        return until(f"{self.namespace} promotes {digest[7:15]}", look, seconds=seconds)

    def wait_aborted(self, digest: str, *, seconds: float) -> tuple[View, Run | None]:
        """Until the rollout of a digest is aborted; and the run that decided it, None where it was a deadline.

        Raises:
            AssertionError: promoted, or not in time.
        """

        def look() -> View:
            view = self._of(digest)
            if view.promoted:
                raise AssertionError(f"{self.namespace}: promoted, and must not be: {view}")
            if not view.aborted:
                raise NotYet(f"{view}; {self.told(view.current)}")
            return view

        view = until(f"{self.namespace} aborts {digest[7:15]}", look, seconds=seconds)
        ended = [run for run in self.runs(view.current) if run.phase in ("Failed", "Error", "Inconclusive")]
        return view, (ended[-1] if ended else None)

    def wait_canary(self, digest: str, *, seconds: float) -> Object:
        """The first pod of a digest's revision that is ready."""

        def look() -> Object:
            view = self._of(digest)
            ready = self.ready_pods(view.current)
            if not ready:
                raise NotYet(str(view))
            return ready[0]

        return until(f"{self.namespace} has a ready pod of {digest[7:15]}", look, seconds=seconds, every=0.3)

    def wait_step(self, digest: str, step: int, *, seconds: float) -> View:
        """Until a digest's canary is at a step, counted from 0, or beyond it."""

        def look() -> View:
            view = self._of(digest)
            if view.step < step or view.current == view.stable:
                raise NotYet(str(view))
            return view

        return until(f"{self.namespace} at step {step}", look, seconds=seconds, every=0.5)

    def told(self, pod_hash: str) -> str:
        """A line of its AnalysisRuns."""
        return "; ".join(_told(run) for run in self.runs(pod_hash)) or "no AnalysisRun"

    def _of(self, digest: str) -> View:
        view = self.view()
        if view.digest != digest or not view.observed:
            raise NotYet(f"{digest[7:15]} is not yet applied: {view}")
        return view


def _view(rollout: Object) -> View:
    spec, status = rollout["spec"], rollout.get("status", {})
    template = spec["template"]["metadata"]["annotations"]
    blue_green = status.get("blueGreen") or {}
    return View(
        namespace=rollout["metadata"]["namespace"],
        phase=status.get("phase", "Unknown"),
        message=status.get("message", ""),
        version=template["mainline.dev/version"],
        digest=template["mainline.dev/digest"],
        attempt=template["mainline.dev/attempt"],
        current=status.get("currentPodHash", ""),
        stable=status.get("stableRS", ""),
        active=blue_green.get("activeSelector", ""),
        step=status.get("currentStepIndex", 0),
        steps=len((spec["strategy"].get("canary") or {}).get("steps") or []),
        aborted=bool(status.get("abort")),
        observed=status.get("observedGeneration") == str(rollout["metadata"]["generation"]),
        replicas=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
    )


def _run(run: Object, metric_of: dict[str, str]) -> Run:
    status = run.get("status", {})
    results = status.get("metricResults", [])
    deciding = tuple(each["name"] for each in results if each["phase"] in ("Failed", "Error", "Inconclusive"))
    return Run(
        name=run["metadata"]["name"],
        phase=status.get("phase", "Pending"),
        message=status.get("message", ""),
        metrics={each["name"]: each["phase"] for each in results},
        deciding=deciding,
        templates=tuple(dict.fromkeys(metric_of.get(name, name) for name in deciding)),
    )


def _told(run: Run) -> str:
    return ".".join(run.name.split("-")[-2:]) + f" {run.phase}" + "".join(f" {each}" for each in _open(run))


def _open(run: Run) -> Iterator[str]:
    if run.phase == "Running":
        yield from (f"({name})" for name, phase in run.metrics.items() if phase == "Running")
    elif run.deciding:
        yield f"by {', '.join(run.deciding)}"
