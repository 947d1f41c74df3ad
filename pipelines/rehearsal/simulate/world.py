"""The simulated world: a clock that jumps, pods that count, Prometheus and judge asked the templates' own questions."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.rehearsal.contract import Measured, Split
from pipelines.rehearsal.metric import Metric, Prometheus
from pipelines.rehearsal.simulate.behaviour import Behaviour
from pipelines.rehearsal.simulate.captured import Captured
from pipelines.rehearsal.simulate.fleet import CANDIDATE, STABLE, Fleet
from pipelines.rehearsal.simulate.judge import answer
from pipelines.rehearsal.simulate.pods import Pod
from pipelines.rehearsal.simulate.pool import version
from pipelines.rehearsal.simulate.promql import QueryError, query
from pipelines.rehearsal.simulate.scenario import Scenario

HASHES = {STABLE: "5d8f7c9b64", CANDIDATE: "7b6c4d2f18"}
_BEGIN = 1_790_000_000.0
_HISTORY_SECONDS = 900.0  # stable has been serving for longer than any window that looks at pods


class SimulatedWorld:
    """A World of the step machine whose time costs nothing."""

    def __init__(self, scenario: Scenario, stable_pods: int) -> None:
        chance = np.random.default_rng(scenario.seed)
        self._scenario, self._chance = scenario, chance
        self.captured = {
            STABLE: Captured(version(scenario.model, scenario.stable), scenario, chance, fails=False),
            CANDIDATE: Captured(version(scenario.model, scenario.candidate), scenario, chance, fails=True),
        }
        self.fleet = Fleet(
            model=scenario.model,
            hashes=HASHES,
            behaviours={STABLE: scenario.stable_servers, CANDIDATE: scenario.candidate_servers},
            captured=self.captured,
            traffic=scenario.traffic,
            begin=_BEGIN - _HISTORY_SECONDS,
            chance=chance,
            skew=scenario.faults.skew_seconds,
        )
        self.fleet.split(Split(candidate_pods=0, stable_pods=stable_pods, share=0.0))
        self.fleet.until(_BEGIN)
        self._former = self._former_pods() if scenario.faults.former_pods else []

    def now(self) -> float:
        """The simulated time."""
        return self.fleet.now

    def wait(self, until: float) -> None:
        """Time passes at once."""
        self.fleet.until(until)
        for pod in self._former:
            self._serve_former(pod, until)

    def split(self, split: Split) -> None:
        """Pods and traffic from now on."""
        self.fleet.split(split)

    def available(self, revision: str) -> bool:
        """Whether the pods are ready."""
        return self.fleet.available(revision)

    def measure(self, metric: Metric) -> Measured:
        """What the provider would answer."""
        provider, faults = metric.provider, self._scenario.faults
        if isinstance(provider, Prometheus):
            if faults.prometheus_down:
                return Measured(error="dial tcp: connection refused")
            return _instant(self.fleet, provider.query)
        if faults.judge_down:
            return Measured(error="dial tcp: connection refused")
        if faults.judge_slow:
            return Measured(error="context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
        return self._judged(json.loads(provider.body or "{}"))

    def _judged(self, body: Mapping[str, Any]) -> Measured:
        said = answer(body, self._scenario, self.captured, self.now(), self._chance)
        return Measured(value=said.verdict.value, detail=said.reason)

    def _former_pods(self) -> list[Pod]:
        """Pods that a former revision left behind under the canary's role: healthy, and not the canary."""
        labels = {"rollouts_pod_template_hash": "66f9d4c7b5", "role": "canary", "model": self._scenario.model}
        made = [
            Pod(
                {**labels, "pod": f"former-{index}", "instance": f"10.0.1.{index}:8080"},
                Behaviour(),
                _BEGIN - 600,
                self._chance,
            )
            for index in range(2)
        ]
        for pod in made:
            self._serve_former(pod, _BEGIN)
        return made

    def _serve_former(self, pod: Pod, until: float) -> None:
        while pod.next_scrape <= until:
            pod.advance(pod.next_scrape, 150.0, refused=0.0, rows_per_request=1)
            pod.scrape(self.fleet.database, pod.next_scrape, missed=False)
            pod.next_scrape += 15.0


def _instant(fleet: Fleet, text: str) -> Measured:
    try:
        found = query(fleet.database, text, fleet.now)
    except QueryError as err:
        return Measured(error=f"server returned HTTP status 422: execution: {err}")
    return Measured(value=found if isinstance(found, float) else [value for _, value in found])
