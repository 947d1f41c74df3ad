"""The pods of both versions over time: they start, get their part of the traffic, are scraped, crash, and go."""

import numpy as np

from pipelines.rehearsal.contract import Split
from pipelines.rehearsal.simulate.behaviour import Behaviour
from pipelines.rehearsal.simulate.captured import Captured
from pipelines.rehearsal.simulate.load import Load, Traffic
from pipelines.rehearsal.simulate.pods import Pod
from pipelines.rehearsal.simulate.series import Database

SCRAPE_SECONDS = 15.0
_MISSED = 0.002  # of scrapes fail
STABLE, CANDIDATE = "stable", "candidate"


class Fleet:
    """Pods by version. Whoever moves time calls `until`."""

    def __init__(
        self, *, model: str, hashes: dict[str, str], behaviours: dict[str, Behaviour], captured: dict[str, Captured],
        traffic: Traffic, begin: float, chance: np.random.Generator, skew: float,
    ) -> None:  # fmt: skip
        self.database = Database()
        self._model, self._hashes, self._behaviours, self._captured = model, hashes, behaviours, captured
        self._traffic, self._load, self._chance, self._skew = traffic, Load(traffic.rate, chance), chance, skew
        self._pods: dict[str, list[Pod]] = {STABLE: [], CANDIDATE: []}
        self._made = 0
        self._split = Split(candidate_pods=0, stable_pods=0, share=0.0)
        self.now = begin

    def split(self, split: Split) -> None:
        """So many pods and so much traffic, from now on."""
        self._advance(self.now)
        self._split = split
        if split.share > 0 and self._captured[CANDIDATE].first_request is None:
            self._captured[CANDIDATE].first_request = self.now
        for revision, wanted in ((STABLE, split.stable_pods), (CANDIDATE, split.candidate_pods)):
            pods = self._pods[revision]
            while len(pods) < wanted:
                pods.append(self._new(revision))
            while len(pods) > wanted:
                pods.pop().gone(self.now + 0.001)

    def available(self, revision: str) -> bool:
        """Whether all of its pods are ready."""
        return all(pod.ready(self.now) for pod in self._pods[revision])

    def until(self, end: float) -> None:
        """Lets time pass, event by event."""
        while True:
            pods = [pod for each in self._pods.values() for pod in each]
            ready = [pod.ready_at for pod in pods if pod.ready_at > self.now]
            times = [pod.next_scrape for pod in pods] + [pod.crash_at for pod in pods if pod.crash_at > self.now]
            at = min([end, *times, *ready])
            self._advance(at)
            self.now = at
            for pod in pods:
                pod.crash_if_due(at)
                if pod.next_scrape <= at:
                    pod.scrape(self.database, at, missed=self._chance.random() < _MISSED)
                    pod.next_scrape += SCRAPE_SECONDS + self._chance.uniform(-0.005, 0.005)
            if at >= end:
                return

    def _new(self, revision: str) -> Pod:
        self._made += 1
        hash_ = self._hashes[revision]
        labels = {
            "rollouts_pod_template_hash": hash_,
            "model": self._model,
            "model_version": "2" if revision == CANDIDATE else "1",
            "namespace": f"{self._model}-production",
            "role": "canary" if revision == CANDIDATE else "stable",
            "pod": f"{self._model}-{hash_}-{self._made}",
            "instance": f"10.0.0.{self._made}:8080",
            "job": "serving",
        }
        return Pod(labels, self._behaviours[revision], self.now, self._chance, skew=self._skew)

    def _advance(self, until: float) -> None:
        """Requests between the last time and `until`, at the split and among the pods that are ready."""
        since = self.now
        if until <= since:
            return
        expected = self._load.expected(since, until)
        ready = {name: [pod for pod in pods if pod.ready(until)] for name, pods in self._pods.items()}
        share = self._split.share if ready[CANDIDATE] else 0.0
        share = share if ready[STABLE] or not ready[CANDIDATE] else 1.0
        for name, part in ((STABLE, 1 - share), (CANDIDATE, share)):
            for pod in self._pods[name]:
                mine = expected * part / len(ready[name]) if pod in ready[name] else 0.0
                how = self._traffic
                rows = pod.advance(until, mine, refused=how.refused, rows_per_request=how.rows_per_request)
                self._captured[name].add(until, rows)
