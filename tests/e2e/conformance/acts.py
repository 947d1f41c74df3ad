"""One case on the real controller, from its first object to its end. `play` starts them one after another."""

import time
from dataclasses import dataclass
from typing import Protocol

from pipelines.kube import ANALYSIS_RUN, Cluster, KubeRefused
from tests.e2e.conformance import manifests, ours, theirs, walk
from tests.e2e.conformance.manifests import NAMESPACE, Object
from tests.e2e.conformance.seen import Analysis, Measurement, Rolled
from tests.e2e.conformance.stage import Asked
from tests.e2e.conformance.table import Case
from tests.e2e.conformance.watched import Watched

_MANAGER = "conformance"


@dataclass(frozen=True)
class House:
    """What every act needs: the API server, what is heard of its objects, and where answers come from."""

    kube: Cluster
    runs: Watched
    rollouts: Watched
    sets: Watched
    address: str


class Act(Protocol):
    """A case that is played."""

    @property
    def name(self) -> str:
        """Of its objects."""

    @property
    def expected(self) -> float:
        """Seconds that it should take."""

    def start(self) -> None:
        """Makes its objects."""

    def ended(self) -> bool:
        """Goes on as far as it can, and whether that was the end."""


@dataclass
class Once:
    """An AnalysisRun of many metrics, each measured once."""

    house: House
    name: str
    metrics: list[Object]
    expected: float = 1.0

    def start(self) -> None:
        """Makes it."""
        self.house.kube.create(manifests.named("AnalysisRun", self.name, {"metrics": self.metrics}))

    def ended(self) -> bool:
        """Whether it was assessed."""
        return theirs.completed(self.house.runs.latest(self.name))

    def read(self) -> dict[str, Measurement]:
        """By metric."""
        return theirs.measured(self.house.runs.latest(self.name) or {})


@dataclass
class Run:
    """An AnalysisRun by itself."""

    house: House
    case: Case
    terminated: bool = False

    @property
    def name(self) -> str:
        """The case's key."""
        return self.case.key

    @property
    def expected(self) -> float:
        """As the rehearsal has it, and a moment for one that does not end."""
        return 5.0 + max(map(max, ours.analysis(self.case).times.values()), default=0.0)

    def start(self) -> None:
        """Makes it."""
        self.house.kube.create(manifests.analysis_run(self.case, self.house.address))

    def ended(self) -> bool:
        """Whether it has, or has asked for every answer that its row gives."""
        run = self.house.runs.latest(self.name)
        begun = theirs.started(run)
        if begun and not self.terminated and time.time() >= begun + self.case.row.get("terminate", float("inf")):
            self.terminated = True
            self.house.kube.merge(ANALYSIS_RUN, self.name, NAMESPACE, {"spec": {"terminate": True}})
        if self.case.row.get("run") == "Running":
            return theirs.measurements(run) >= sum(map(len, self.case.row["answers"].values()))
        return theirs.completed(run)

    def read(self, asked: Asked) -> Analysis:
        """What became of it."""
        return theirs.analysis(self.case, self.house.runs.latest(self.name), asked)


@dataclass
class Rollout:
    """A Rollout: what is out before stands first, then the candidate comes."""

    house: House
    case: Case
    refused: str = ""
    stood: int = 0
    walked: walk.Walk | None = None

    @property
    def name(self) -> str:
        """The case's key."""
        return self.case.key

    @property
    def about_arguments(self) -> bool:
        """Whether it only stands for an analysis to which a Rollout passes arguments."""
        return "spec" not in self.case.row

    @property
    def expected(self) -> float:
        """As the rehearsal has it, and what it takes until a Rollout stands."""
        return 10.0 + (5.0 if self.about_arguments else ours.rollout(self.case).seconds)

    def start(self) -> None:
        """Makes what it names, and what is out before: of one that is restored, its own template."""
        try:
            for each in self._beside():
                self._apply(each)
            self._apply(self._version("2", gates=False) if self.case.row.get("restores") else self._version("1"))
        except KubeRefused as refusal:
            self.refused = str(refusal)

    def ended(self) -> bool:
        """Whether it was refused, or rolled out to its end."""
        latest = self.house.rollouts.latest(self.name)
        self.refused = self.refused or walk.invalid(latest)
        if self.refused:
            return True
        if self.walked is None:
            if walk.stands(latest, self.stood + 1):
                self._next()
            return False
        self.walked.follow(self.house.rollouts.since(self.name))
        return self.walked.ended(self.house.runs.owned(self.name), self.house.sets.of(self.name))

    def read(self) -> Rolled:
        """What became of it."""
        if self.refused or self.walked is None:
            return Rolled(refused=self.refused, ending="" if self.refused else "never stood")
        return self.walked.read(self.house.runs.owned(self.name), self.house.sets.of(self.name))

    def read_analysis(self, asked: Asked) -> Analysis:
        """What became of its last analysis."""
        if self.refused:
            return Analysis(refused=self.refused)
        owned = self.house.runs.owned(self.name)
        return theirs.analysis(self.case, owned[-1] if owned else None, asked)

    def _next(self) -> None:
        """The stable version over the one that is to be restored, or the candidate."""
        self.stood += 1
        if self.case.row.get("restores") and self.stood == 1:
            self._apply(self._version("1", gates=False))
            return
        self.house.rollouts.since(self.name)
        self.walked = walk.Walk(time.time(), int(self._apply(self._version("2"))["metadata"]["generation"]))

    def _apply(self, manifest: Object) -> Object:
        # the controller writes steps back in its own words, and would own them
        return self.house.kube.apply(manifest, manager=_MANAGER, force=True)

    def _version(self, version: str, *, gates: bool = True) -> Object:
        if self.about_arguments:
            return manifests.asking(self.case, version)
        ready = ours.ready_after(self.case) if version == "2" else 0.0
        found = manifests.rollout(self.case, manifests.renamed(self.case), version, ready)
        return found if gates else manifests.without_gates(found)

    def _beside(self) -> list[Object]:
        """What it names: templates, Services and an Ingress."""
        if self.about_arguments:
            return [manifests.template(self.case, self.house.address, f"{self.name}-case", self.case.row)]
        templates = self.case.row.get("templates", {}).items()
        found = [
            manifests.template(self.case, self.house.address, name, spec, prefix=f"{self.name}-")
            for name, spec in templates
        ]
        return [*found, *manifests.services(self._version("1"))]
