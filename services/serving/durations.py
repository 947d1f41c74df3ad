"""A histogram that costs a request a bisection: prometheus_client's own takes a lock for each bucket below the value.

Names, buckets and labels are what that one would show. Only the event loop's thread observes.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Durations(Collector):
    """One histogram, under one set of labels."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Mapping[str, str],
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name, self._documentation, self._labels = name, documentation, dict(labels)
        self._bounds = tuple(buckets)
        self._counts = [0] * (len(buckets) + 1)  # the last one: above every bound
        self._sum = 0.0
        self._created = time.time()
        registry.register(self)

    def observe(self, seconds: float) -> None:
        """Counts one value."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The samples, as a registry asks for them."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=list(self._labels))
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        counts = list(accumulate(self._counts))
        values = list(self._labels.values())
        family.add_metric(values, list(zip(names, map(float, counts), strict=True)), self._sum)
        family.add_sample(f"{self._name}_created", self._labels, self._created)
        yield family
