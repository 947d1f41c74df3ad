"""What a Rollout and its AnalysisRuns say of themselves, as the API server has them; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.release import Release
from pipelines.kube import Object


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
        preview: the one that its preview's Service reaches.
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
    preview: str
    step: int
    steps: int
    aborted: bool
    observed: bool
    replicas: int
    ready: int

    def __str__(self) -> str:
        step = f", step {self.step} of {self.steps}" if self.steps and self.current != self.stable else ""
        what = f"version {self.version}.{self.attempt}, {self.current} over {self.stable or 'nothing'}"
        return f"{self.phase}{step}, {what}, {self.ready} of {self.replicas} ready {self.message[:120]}".rstrip()

    @property
    def strategy(self) -> str:
        """canary or blue-green."""
        return "canary" if self.steps else "blue-green"

    @property
    def promoted(self) -> bool:
        """Whether what was applied last serves alone."""
        return self.observed and self.phase == "Healthy" and self.stable == self.current

    @property
    def waits(self) -> bool:
        """Whether no gate could say, and a person must."""
        return self.phase == "Paused" and "Inconclusive" in self.message


def said(release: Release) -> str:
    """A release in few words."""
    return f"version {release.version}.{release.attempt} {release.digest[7:15]}"


def view_of(rollout: Object) -> View:
    """A Rollout's view."""
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
        preview=blue_green.get("previewSelector", ""),
        step=status.get("currentStepIndex", 0),
        steps=len((spec["strategy"].get("canary") or {}).get("steps") or []),
        aborted=bool(status.get("abort")),
        observed=status.get("observedGeneration") == str(rollout["metadata"]["generation"]),
        replicas=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
    )


def run_of(run: Object, metric_of: Mapping[str, str]) -> Run:
    """An AnalysisRun; `metric_of` has each metric's template."""
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


def told(run: Run) -> str:
    """An AnalysisRun in few words."""
    return ".".join(run.name.split("-")[-2:]) + f" {run.phase}" + "".join(f" {each}" for each in _open(run))


def _open(run: Run) -> Iterator[str]:
    if run.phase == "Running":
        yield from (f"({name})" for name, phase in run.metrics.items() if phase == "Running")
    elif run.deciding:
        yield f"by {', '.join(run.deciding)}"
