"""The real world of a rehearsal, as the step machine sees it: two servers, their callers, Prometheus and the judge.

A thread beside it does what a node does (probes, restarts) and samples what callers saw, each second, for the report.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models.errors import MainlineError
from pipelines.rehearsal.contract import Measured, Split
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.providers import Document, measure
from pipelines.rehearsal.servers import Server
from pipelines.rehearsal.tally import Seen
from pipelines.rehearsal.traffic import Traffic

# The kubelet asks every 5 s here and takes two failures; a tenth of that, since everything here is shorter.
_PROBE_SECONDS = 0.5
_FAILURES = 2


class TookTooLong(MainlineError):  # noqa: N818  (states what is so)
    """The rollout was neither promoted nor aborted nor paused in the time that a rehearsal has."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One second as callers saw it.

    Attributes:
        time: seconds since the rollout began, at the second's end.
        share: of the traffic that the candidate was to get.
        candidate: what its callers saw.
        stable: what stable's callers saw.
        memory_bytes: the candidate's resident memory; None where it is not known.
        restarts: of the candidate so far.
    """

    time: float
    share: float
    candidate: Seen
    stable: Seen
    memory_bytes: int | None
    restarts: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One measurement, as asked and answered; `document` is a judge's whole answer."""

    time: float
    metric: Metric
    measured: Measured
    document: Document


class RealWorld:
    """What `machine.run` moves through. `begin` starts callers and clock, `end` stops both; servers are not its own."""

    def __init__(
        self,
        servers: Mapping[str, Server],
        traffic: Traffic,
        *,
        most_seconds: float,
        on_sample: Callable[[Sample], object] = lambda _: None,
    ) -> None:
        """Servers by `stable` and `candidate`; `on_sample` is called once a second, from another thread."""
        self.servers, self.traffic = servers, traffic
        self.samples: list[Sample] = []
        self.asked: list[Asked] = []
        self._most_seconds = most_seconds
        self._on_sample = on_sample
        self._began = time.monotonic()
        self._share = 0.0
        self._failures = dict.fromkeys(servers, _FAILURES)
        self._ending = threading.Event()
        self._node = threading.Thread(target=self._tend, name="node", daemon=True)

    def begin(self, *, after_seconds: float = 0.0) -> None:
        """The callers start, with everything to stable; the rollout's clock starts, and this returns, so much later.

        A cluster's stable has answered for days: what its own past is compared with must be there.
        """
        self._began = time.monotonic() + after_seconds
        self._probe()
        self.traffic.start()
        self._node.start()
        time.sleep(max(0.0, self._began - time.monotonic()))

    def end(self) -> None:
        """No more requests, probes and restarts."""
        self._ending.set()
        self.traffic.stop()
        if self._node.ident is not None:
            self._node.join()

    def now(self) -> float:
        """Seconds since the rollout began."""
        return time.monotonic() - self._began

    def wait(self, until: float) -> None:
        """Sleeps; the threads go on.

        Raises:
            TookTooLong: the rehearsal's time is over.
        """
        while (remaining := until - self.now()) > 0:
            left = self._most_seconds - self.now()
            if left <= 0:
                raise TookTooLong(f"not decided within {self._most_seconds:g} s, the longest that a rehearsal may take")
            time.sleep(min(remaining, left))

    def measure(self, metric: Metric) -> Measured:
        """Asks Prometheus, the judge or whatever address the metric names."""
        measured, document = measure(metric)
        self.asked.append(Asked(time=self.now(), metric=metric, measured=measured, document=document))
        return measured

    def split(self, split: Split) -> None:
        """Sends this share to the candidate from now on. One process stands for all pods of a version."""
        self._share = split.share
        self.traffic.share(split.share)

    def available(self, revision: str) -> bool:
        """Whether the process of `candidate` or `stable` is ready."""
        return self.servers[revision].ready() if revision in self.servers else False

    def _tend(self) -> None:
        last = 0
        while not self._ending.wait(_PROBE_SECONDS):
            self._probe()
            second = int(self.traffic.seconds)
            if second > last:
                self._sample(last, second)
                last = second

    def _probe(self) -> None:
        for name, server in self.servers.items():
            server.tend()
            self._failures[name] = 0 if server.ready() else self._failures[name] + 1
            gone = server.pid is None or self._failures[name] >= _FAILURES
            self.traffic.reachable(name, not gone)

    def _sample(self, since: int, until: int) -> None:
        candidate, tally = self.servers["candidate"], self.traffic.tally
        sample = Sample(
            time=self.now(),
            share=self._share,
            candidate=tally.seen("candidate", since, until),
            stable=tally.seen("stable", since, until),
            memory_bytes=candidate.memory_bytes(),
            restarts=candidate.restarts,
        )
        self.samples.append(sample)
        self._on_sample(sample)
